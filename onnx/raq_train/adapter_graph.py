"""The adapters of a model as one ONNX graph over float tensors that hold only integers.

For each codebook an input `base_NAME` i32 [K, dims] and an output `codebook_NAME` i32 [K_max,
dims], in the order given. Every product sum stays below 2^24 in magnitude, every scale is a power
of two, so the result is the same in any order of summation, with or without fused multiply-add, on
every execution provider. Weights are stored as signed bytes, those of a codebook under its name.

Codebooks of equal shape form a group: they run side by side through the same pair of Loops, along
the second axis of their tensors, so a step costs as many nodes for all of them as for one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from . import adapter as rules
from .adapter import Adapter
from .graph import Graph


@dataclass(frozen=True)
class _Shape:
    """What the adapters of a group have in common."""

    base: int
    codewords: int
    dims: int
    hidden: int
    chains: int

    @classmethod
    def of(cls, adapter: Adapter) -> _Shape:
        base, dims = adapter.base.shape
        return cls(base, adapter.codewords, dims, adapter.encoder.hidden, adapter.chains)

    @property
    def steps(self) -> int:
        return self.codewords // self.chains


def _common(g: Graph) -> None:
    """Constants that all codebooks share."""
    for name, table in zip(("sigmoid", "tanh", "cell_tanh"), rules.gate_tables(), strict=True):
        stored = g.constant(f"{name}_table", table.numpy().astype(np.int16))
        g.op("Cast", stored, output=f"{name}_f", to=TensorProto.FLOAT)
    g.constant("bit_scale", 2.0 ** -np.arange(12, dtype=np.float32)[None])
    for name, values in zip(("frequency", "phase"), rules.wave_parameters(), strict=True):
        g.constant(f"wave_{name}", np.array(values, np.float32)[None])


def _numbers(g: Graph, name: str, adapter: Adapter) -> None:
    """The constants of one codebook: weights as bytes, scales, the start vector."""

    def array(tensor, kind) -> np.ndarray:
        return tensor.detach().cpu().numpy().astype(kind)

    for which, cell in (("encoder", adapter.encoder), ("decoder", adapter.decoder)):
        g.constant(f"{name}_{which}_weight", array(cell.integer_weight(), np.int8))
        g.constant(f"{name}_{which}_scale", array(cell.argument_scale()[None], np.float32))
    g.constant(f"{name}_output_weight", array(adapter.integer_output(), np.int8))
    g.constant(f"{name}_output_scale", array(adapter.output_scale()[None], np.float32))
    g.constant(f"{name}_input_scale", array(2.0 ** -adapter.input_bits[None], np.float32))
    g.constant(f"{name}_start", array(adapter.integer_start()[None], np.float32))
    g.constant(f"{name}_order", array(adapter.order, np.int32))


def _stack(g: Graph, group: str, names: list[str], what: str) -> None:
    """`GROUP_what` with a leading codebook axis; that of a lone codebook broadcasts without one."""
    parts = [f"{name}_{what}" for name in names]
    if what.endswith("_weight"):
        parts = [g.floats(part) for part in parts]
    if len(parts) == 1:
        # A matrix of two dimensions is packed once when the session is made.
        g.op("Identity", parts[0], output=f"{group}_{what}")
    else:
        parts = [g.op("Unsqueeze", part, g.ints(0)) for part in parts]
        g.op("Concat", *parts, axis=0, output=f"{group}_{what}")


def _cell(g: Graph, which: str, u: str, cell: str, size: list[int], out: tuple[str, str]) -> None:
    """Nodes of one LSTM step to states of `size`, [books, chains, hidden].

    Mirrors `adapter._IntegerCell`.
    """
    hidden = size[2]
    sums = g.op("MatMul", u, f"{which}_weight")
    index = g.op("Floor", g.op("Mul", sums, f"{which}_scale"))
    index = g.op("Add", index, g.scalar(rules.LUT_SIZE / 2))
    index = g.clamp(index, 0, rules.LUT_SIZE - 1)
    pieces = [
        g.op("Slice", index, g.ints(k * hidden), g.ints((k + 1) * hidden), g.ints(2))
        for k in range(4)
    ]
    i, f, o = (g.lookup("sigmoid_f", piece, *size) for piece in pieces[:3])
    candidate = g.lookup("tanh_f", pieces[3], *size)
    kept = g.op("Add", g.op("Mul", f, cell), g.op("Mul", i, candidate))
    kept = g.op("Floor", g.op("Mul", kept, g.scalar(2.0**-rules.GATE_BITS)))
    limit = float(rules.CELL_LIMIT)
    new = g.op("Min", g.op("Max", kept, g.scalar(-limit)), g.scalar(limit), output=out[1])
    where = g.op("Floor", g.op("Mul", new, g.scalar(1 / 8)))
    where = g.op("Add", where, g.scalar(rules.CELL_LUT_SIZE / 2))
    t = g.lookup("cell_tanh_f", where, *size)
    shift = 2.0 ** (rules.UNIT_BITS - 2 * rules.GATE_BITS)
    state = g.op("Floor", g.op("Mul", g.op("Mul", o, t), g.scalar(shift)))
    byte = float(rules.BYTE)
    g.op("Min", g.op("Max", state, g.scalar(-byte)), g.scalar(byte), output=out[0])


def _as_input(g: Graph, group: str, codewords: str) -> str:
    return g.rounded(g.op("Mul", codewords, f"{group}_input_scale"), rules.BYTE)


def _loop_body(name: str, g: Graph, carried: list[tuple[str, str, list[int]]]):
    """A Loop body with carried floats: name at the start, name at the end, shape."""
    kind = TensorProto.FLOAT
    inputs = [
        helper.make_tensor_value_info("t_" + name, TensorProto.INT64, []),
        helper.make_tensor_value_info("go_" + name, TensorProto.BOOL, []),
    ]
    inputs += [helper.make_tensor_value_info(i, kind, shape) for i, _, shape in carried]
    g.op("Identity", "go_" + name, output="on_" + name)
    outputs = [helper.make_tensor_value_info("on_" + name, TensorProto.BOOL, [])]
    outputs += [helper.make_tensor_value_info(o, kind, shape) for _, o, shape in carried]
    return helper.make_graph(g.nodes, name, inputs, outputs, g.initialisers)


def _step_encoding(g: Graph, index: str, shape: _Shape) -> str:
    """Nodes that compute `adapter.step_encoding`, as [steps, chains, ENCODING]."""
    column = g.op("Unsqueeze", index, g.ints(1))
    shifted = g.op("Floor", g.op("Mul", column, "bit_scale"))
    half = g.op("Floor", g.op("Mul", shifted, g.scalar(0.5)))
    bits = g.op("Sub", shifted, g.op("Mul", half, g.scalar(2)))
    peak = float(rules.ENCODING_PEAK)
    bits = g.op("Sub", g.op("Mul", bits, g.scalar(2 * peak)), g.scalar(peak))
    saw = g.op("Add", g.op("Mul", column, "wave_frequency"), "wave_phase")
    turns = g.op("Floor", g.op("Mul", saw, g.scalar(1 / 4096)))
    saw = g.op("Sub", saw, g.op("Mul", turns, g.scalar(4096)))
    bend = g.op("Abs", g.op("Sub", saw, g.scalar(2048)))
    waves = g.op("Sub", g.op("Floor", g.op("Mul", bend, g.scalar(1 / 16))), g.scalar(peak))
    constant = g.op("Add", g.op("Mul", column, g.scalar(0)), g.scalar(peak))
    encoding = g.op("Concat", constant, bits, waves, axis=1)
    return g.op("Reshape", encoding, g.ints(shape.steps, shape.chains, rules.ENCODING))


def _forced(g: Graph, index: str, shape: _Shape) -> str:
    """1 for the rows that are fed an original codeword, 0 for others: [steps, 1, chains, 1]."""
    row = g.op("Floor", g.op("Mul", index, g.scalar(1 / shape.chains)))
    chain = g.op("Sub", index, g.op("Mul", row, g.scalar(shape.chains)))
    place = g.op("Add", row, chain)
    odd = g.op("Floor", g.op("Mul", place, g.scalar(0.5)))
    odd = g.op("Sub", place, g.op("Mul", odd, g.scalar(2)))
    early = g.floats(g.op("Less", index, g.scalar(2 * shape.base)))
    forced = g.op("Mul", g.op("Sub", g.scalar(1), odd), early)
    return g.op("Reshape", forced, g.ints(shape.steps, 1, shape.chains, 1))


def _read(g: Graph, group: str, shape: _Shape, books: int, blocks: str) -> None:
    """The Loop over base codewords [reads, books, chains, dims]: `GROUP_enc_h`, `GROUP_enc_c`."""
    name = f"{group}_encode"
    e = Graph(f"{group}_enc_")
    codewords = e.op("Gather", blocks, f"t_{name}", axis=0)
    constant = e.op("Expand", e.scalar(rules.ENCODING_PEAK), e.ints(books, shape.chains, 1))
    h, c = (f"{group}_enc_{which}" for which in "hc")
    u = e.op("Concat", _as_input(e, group, codewords), constant, f"{h}_in", axis=2)
    states = [books, shape.chains, shape.hidden]
    _cell(e, f"{group}_encoder", u, f"{c}_in", states, (f"{h}_out", f"{c}_out"))
    body = _loop_body(name, e, [(f"{x}_in", f"{x}_out", states) for x in (h, c)])
    zero = g.op("Expand", g.scalar(0), g.ints(*states))
    reads = g.ints(shape.base // shape.chains)
    g.nodes.append(helper.make_node("Loop", [reads, "", zero, zero], [h, c], body=body))


def _emit(g: Graph, group: str, shape: _Shape, books: int, blocks: str) -> str:
    """The Loop that emits codewords; the result is [steps, books, chains, dims]."""
    name, chains = f"{group}_decode", shape.chains
    # Which steps are fed an original codeword, and which one.
    index = g.op("Range", g.scalar(0), g.scalar(shape.codewords), g.scalar(1))
    forced = _forced(g, index, shape)
    encoding = _step_encoding(g, index, shape)
    reads = shape.base // chains
    pairs = g.op("Reshape", blocks, g.ints(reads, books, 2, chains // 2, 1, shape.dims))
    pairs = g.op("Transpose", pairs, perm=[0, 2, 1, 3, 4, 5])
    pairs = g.op("Expand", pairs, g.ints(reads, 2, books, chains // 2, 2, shape.dims))
    pairs = g.op("Reshape", pairs, g.ints(2 * reads, books, chains, shape.dims))
    rest = g.ints(shape.steps - 2 * reads, books, chains, shape.dims)
    silence = g.op("Expand", g.scalar(0), rest)
    originals = g.op("Mul", g.op("Concat", pairs, silence, axis=0), forced)
    parents = g.constant(f"{group}_parent", np.array(rules.parent_steps(shape.steps), np.int64))
    neighbours = g.constant(f"{group}_neighbour", rules.neighbour_chains(chains).numpy())

    d = Graph(f"{group}_dec_")
    h, c, rows = (f"{group}_dec_{which}" for which in ("h", "c", "all"))
    step = f"t_{name}"
    mask = d.op("Gather", forced, step, axis=0)
    original = d.op("Gather", originals, step, axis=0)
    parent = d.op("Gather", f"{rows}_in", d.op("Gather", parents, step, axis=0), axis=0)
    parent = d.op("Gather", parent, neighbours, axis=1)
    free = d.op("Sub", d.scalar(1), mask)
    fed = d.op("Add", original, d.op("Mul", free, parent))
    known = d.op("Gather", encoding, step, axis=0)
    known = d.op("Expand", known, d.ints(books, chains, rules.ENCODING))
    u = d.op("Concat", _as_input(d, group, fed), known, f"{h}_in", axis=2)
    states = [books, chains, shape.hidden]
    _cell(d, f"{group}_decoder", u, f"{c}_in", states, (f"{h}_out", f"{c}_out"))
    change = d.op("MatMul", f"{h}_out", f"{group}_output_weight")
    change = d.op("Mul", change, f"{group}_output_scale")
    emitted = d.op("Add", fed, d.rounded(change, 2.0**20))
    limit = float(rules.CODEWORD_LIMIT)
    emitted = d.op("Unsqueeze", d.clamp(emitted, -limit, limit), d.ints(0))
    place = d.op("Reshape", step, d.ints(1, 1))
    d.op("ScatterND", f"{rows}_in", place, emitted, output=f"{rows}_out")
    all_rows = [shape.steps, books, chains, shape.dims]
    carried = [(h, states), (c, states), (rows, all_rows)]
    body = _loop_body(name, d, [(f"{x}_in", f"{x}_out", size) for x, size in carried])
    # Step 0 is its own parent: what it is fed there is the start vector.
    begin = g.op("Expand", f"{group}_start", g.ints(*all_rows))
    inputs = [g.ints(shape.steps), "", f"{group}_enc_h", f"{group}_enc_c", begin]
    g.nodes.append(helper.make_node("Loop", inputs, [h, c, rows], body=body))
    return rows


def _group(g: Graph, group: str, names: list[str], shape: _Shape) -> None:
    """Nodes from the inputs `base_NAME` to the outputs `codebook_NAME` of codebooks of a shape."""
    for which in ("encoder", "decoder"):
        _stack(g, group, names, f"{which}_weight")
        _stack(g, group, names, f"{which}_scale")
    for what in ("output_weight", "output_scale", "input_scale", "start"):
        _stack(g, group, names, what)
    blocks = []
    for name in names:
        # Its own constant: other readers of the graph learn the number of chains from it.
        cut = np.array([shape.base // shape.chains, 1, shape.chains, shape.dims], np.int64)
        cut = g.constant(f"{name}_blocks", cut)
        blocks.append(g.op("Reshape", g.floats(f"base_{name}"), cut))
    blocks = blocks[0] if len(blocks) == 1 else g.op("Concat", *blocks, axis=1)
    _read(g, group, shape, len(names), blocks)
    rows = _emit(g, group, shape, len(names), blocks)
    size = g.ints(shape.codewords, shape.dims)
    for place, name in enumerate(names):
        own = g.op("Reshape", g.op("Gather", rows, g.ints(place), axis=1), size)
        own = g.op("Gather", own, f"{name}_order", axis=0)
        g.op("Cast", own, output=f"codebook_{name}", to=TensorProto.INT32)


def build(adapters: dict[str, Adapter]) -> onnx.ModelProto:
    """The graph of calibrated adapters by codebook name.

    The base codebooks are inputs, not part of the file.
    """
    g = Graph("")
    _common(g)
    groups: dict[_Shape, list[str]] = {}
    for name, adapter in adapters.items():
        _numbers(g, name, adapter)
        groups.setdefault(_Shape.of(adapter), []).append(name)
    for number, (shape, names) in enumerate(groups.items()):
        _group(g, f"group{number}", names, shape)

    def port(name: str, rows: int, adapter: Adapter):
        return helper.make_tensor_value_info(name, TensorProto.INT32, [rows, adapter.base.shape[1]])

    return g.model(
        "raq_adapter",
        [port(f"base_{name}", len(one.base), one) for name, one in adapters.items()],
        [port(f"codebook_{name}", one.codewords, one) for name, one in adapters.items()],
    )
