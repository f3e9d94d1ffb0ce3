"""The adapter: cross-forcing, causality, exact integers, and the same rows from ONNX Runtime."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from raq_train import adapter_graph
from raq_train.adapter import ENCODING_PEAK, Adapter, step_encoding
from raq_train.places import by_parents

DIM, BASE, CODEWORDS, CHAINS = 8, 32, 256, 16


def random_adapter(seed: int, dim: int = DIM, codewords: int = CODEWORDS) -> Adapter:
    torch.manual_seed(seed)
    latents = torch.randn(4000, dim) * torch.logspace(2.8, 1.2, dim)
    adapter = Adapter(latents[:BASE].round().clone(), codewords, hidden=24, chains=CHAINS)
    adapter.set_range(latents)
    with torch.no_grad():
        adapter.output.normal_(0, 0.5)
        adapter.encoder.weight.mul_(6)
        adapter.decoder.weight.mul_(6)
    adapter.calibrate()
    return adapter


@pytest.fixture(scope="module")
def adapter() -> Adapter:
    return random_adapter(4)


def build(adapter: Adapter) -> onnx.ModelProto:
    return adapter_graph.build({"position": adapter})


def integers(adapter: Adapter) -> tuple[np.ndarray, np.ndarray]:
    """Base and adapted codebook as PyTorch has them."""
    with torch.no_grad():
        rows = adapter.integer_base(), adapter(integer=True)
    return tuple(r.numpy().astype(np.int32) for r in rows)


def run_all(
    model: onnx.ModelProto, bases: dict, threads: int = 1, optimise: bool = True
) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {f"base_{name}": base for name, base in bases.items()})


def run(model: onnx.ModelProto, base: np.ndarray, *how) -> np.ndarray:
    return run_all(model, {"position": base}, *how)[0]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("optimise", [False, True])
def test_graph_emits_what_pytorch_trains(adapter: Adapter, threads: int, optimise: bool) -> None:
    base, expected = integers(adapter)
    got = run(build(adapter), base, threads, optimise)
    np.testing.assert_array_equal(got, expected)
    assert len(np.unique(got, axis=0)) > CODEWORDS // 2


@pytest.mark.parametrize("optimise", [False, True])
def test_codebooks_of_equal_shape_share_their_loops(optimise: bool) -> None:
    """Two that run side by side, one of other shape between them, each as PyTorch has it."""
    adapters = {
        "fine": random_adapter(5),
        "tile": random_adapter(6, dim=12, codewords=2 * BASE),
        "finer": random_adapter(7),
    }
    model = adapter_graph.build(adapters)
    assert [node.op_type for node in model.graph.node].count("Loop") == 4
    assert [port.name for port in model.graph.output] == [f"codebook_{n}" for n in adapters]
    rows = {name: integers(adapter) for name, adapter in adapters.items()}
    got = run_all(model, {name: base for name, (base, _) in rows.items()}, 2, optimise)
    for name, found in zip(adapters, got, strict=True):
        np.testing.assert_array_equal(found, rows[name][1], err_msg=name)
    # The first and the last share weights no more than bases.
    swapped = {"fine": rows["finer"][0], "tile": rows["tile"][0], "finer": rows["fine"][0]}
    crossed = run_all(model, swapped, 1, optimise)
    np.testing.assert_array_equal(crossed[1], rows["tile"][1])
    assert (crossed[0] != rows["finer"][1]).any()


def test_sums_beyond_exact_floats_are_refused() -> None:
    Adapter(torch.zeros(4, 256), 8, hidden=256, chains=2)
    with pytest.raises(ValueError, match="exactly"):
        Adapter(torch.zeros(4, 256), 8, hidden=721, chains=2)


def test_every_base_codeword_matters(adapter: Adapter) -> None:
    model = build(adapter)
    base = adapter.integer_base().detach().numpy().astype(np.int32)
    before = run(model, base)
    for row in (0, 7, BASE - 1):
        changed = base.copy()
        changed[row] += 40
        after = run(model, changed)
        # The encoder reads it before the first step, so rows after 2K change too.
        assert (after[2 * BASE :] != before[2 * BASE :]).any()


def test_no_file_holds_the_codebook(adapter: Adapter) -> None:
    with torch.no_grad():
        rows = adapter(integer=True).numpy()
    for tensor in build(adapter).graph.initializer:
        value = numpy_helper.to_array(tensor)
        assert value.ndim == 1 or CODEWORDS not in value.shape
        assert value.size < rows.size or value.dtype == np.int8 or "table" in tensor.name


def test_cross_forcing_feeds_each_base_codeword_once(adapter: Adapter) -> None:
    forced = adapter.forced.reshape(-1)
    assert forced.sum() == BASE
    assert forced[2 * BASE :].sum() == 0
    # With a silent output, forced steps emit the base codewords themselves, in their order.
    output = adapter.output.detach().clone()
    with torch.no_grad():
        adapter.output.zero_()
        rows = adapter(integer=True)
        adapter.output.copy_(output)
    assert torch.equal(rows[forced.bool()], adapter.base.detach())


def test_other_steps_are_fed_their_parent(adapter: Adapter) -> None:
    """With a silent output a codeword that is not forced is its parent's, down to the start."""
    output = adapter.output.detach().clone()
    with torch.no_grad():
        adapter.output.zero_()
        rows = adapter(integer=True)
        adapter.output.copy_(output)
    forced = adapter.forced.bool()
    for i in range(CODEWORDS):
        step, chain = divmod(i, CHAINS)
        if forced[i]:
            continue
        if step == 0:
            expected = adapter.start.round()
        else:
            expected = rows[(step - 2 ** (step.bit_length() - 1)) * CHAINS + (chain ^ 1)]
        assert torch.equal(rows[i], expected), i


def test_rows_are_ordered_to_be_like_their_parents() -> None:
    torch.manual_seed(3)
    table = torch.randn(CODEWORDS, DIM)
    ordered = table[by_parents(table, BASE, CHAINS)]
    size = CHAINS
    while size <= CODEWORDS:  # every octave holds the rows it held
        before, after = (t[:size].sort(0).values for t in (table, ordered))
        assert torch.equal(before, after)
        size *= 2
    child = torch.arange(CODEWORDS // 2, CODEWORDS)
    parent = (child - CODEWORDS // 2) ^ 1
    before, after = ((t[child] - t[parent]).pow(2).sum(1).mean() for t in (table, ordered))
    assert after < 0.6 * before


def test_float_and_integer_forms_agree_roughly(adapter: Adapter) -> None:
    with torch.no_grad():
        float_rows, integer_rows = adapter(integer=False), adapter(integer=True)
    # The first step has no feedback yet: only rounding separates the two.
    gap = (float_rows - integer_rows)[:CHAINS].abs().mean()
    assert gap < 0.1 * float_rows[:CHAINS].abs().mean()


def test_calibration_gives_output_weights_the_whole_byte() -> None:
    adapter = random_adapter(5)
    with torch.no_grad():
        adapter.output.mul_(2.0 ** -torch.arange(2.0, 2.0 + DIM))
        before = (
            adapter(integer=False),
            (adapter(integer=True) - adapter(integer=False)).abs().mean(),
        )
        adapter.calibrate()
        after = (
            adapter(integer=False),
            (adapter(integer=True) - adapter(integer=False)).abs().mean(),
        )
    torch.testing.assert_close(after[0], before[0])
    assert after[1] < before[1]
    peaks = adapter.integer_output().abs().amax(0)
    assert peaks.min() > 57
    assert peaks.max() <= 127


def test_gradients_reach_every_parameter(adapter: Adapter) -> None:
    adapter.zero_grad()
    adapter(integer=True).pow(2).mean().backward()
    for name, parameter in adapter.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_integer_cell_gradient_follows_the_float_cell() -> None:
    """The hand-written backward pass against autograd of the smooth cell."""
    from raq_train.adapter import Cell

    torch.manual_seed(1)
    cell = Cell(6, 5)
    cell.weight.data.mul_(3)
    cell.calibrate()
    u = torch.randint(-100, 100, (7, 11)).float()
    memory = torch.randint(-2000, 2000, (7, 5)).float()
    gradients = []
    for integer in (False, True):
        x, c = u.clone().requires_grad_(), memory.clone().requires_grad_()
        weight = cell.integer_weight() if integer else cell.weight
        state, new = cell.step(weight, x, c, integer)
        (state.sum() + 0.01 * new.sum()).backward()
        gradients.append(torch.cat([x.grad.flatten(), c.grad.flatten()]))
    cosine = torch.cosine_similarity(gradients[0], gradients[1], dim=0)
    assert cosine > 0.99
    assert abs(gradients[1].norm() / gradients[0].norm() - 1) < 0.1


def test_step_encoding_is_bytes_and_tells_steps_apart() -> None:
    encoding = step_encoding(4096)
    assert encoding.abs().max() <= ENCODING_PEAK
    assert torch.equal(encoding, encoding.round())
    assert len(torch.unique(encoding, dim=0)) == 4096
