"""The adapter as an ONNX graph: two Loops over float tensors that hold only integers.

Input `base` i32 [K, D], output `codebook` i32 [K_max, D]. Every product sum stays below 2^24 in
magnitude, every scale is a power of two, so the result is the same in any order of summation, with
or without fused multiply-add, on every execution provider. Weights are stored as signed bytes.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from . import adapter as rules
from .adapter import Adapter
from .graph import Graph


def _cell(g: Graph, u: str, cell: str, hidden: int, which: str, out: tuple[str, str]) -> None:
    """Nodes of one LSTM step; mirrors `adapter._IntegerCell`."""
    sums = g.op("MatMul", u, f"{which}_weight_f")
    index = g.op("Floor", g.op("Mul", sums, f"{which}_scale"))
    index = g.op("Add", index, g.scalar(rules.LUT_SIZE / 2))
    index = g.clamp(index, 0, rules.LUT_SIZE - 1)
    pieces = [
        g.op("Slice", index, g.ints(k * hidden), g.ints((k + 1) * hidden), g.ints(1))
        for k in range(4)
    ]
    i, f, o = (g.lookup("sigmoid_f", piece) for piece in pieces[:3])
    candidate = g.lookup("tanh_f", pieces[3])
    kept = g.op("Add", g.op("Mul", f, cell), g.op("Mul", i, candidate))
    kept = g.op("Floor", g.op("Mul", kept, g.scalar(2.0**-rules.GATE_BITS)))
    limit = float(rules.CELL_LIMIT)
    new = g.op("Min", g.op("Max", kept, g.scalar(-limit)), g.scalar(limit), output=out[1])
    where = g.op("Floor", g.op("Mul", new, g.scalar(1 / 8)))
    t = g.lookup("cell_tanh_f", g.op("Add", where, g.scalar(rules.CELL_LUT_SIZE / 2)))
    shift = 2.0 ** (rules.UNIT_BITS - 2 * rules.GATE_BITS)
    state = g.op("Floor", g.op("Mul", g.op("Mul", o, t), g.scalar(shift)))
    byte = float(rules.BYTE)
    g.op("Min", g.op("Max", state, g.scalar(-byte)), g.scalar(byte), output=out[0])


def _as_input(g: Graph, codewords: str) -> str:
    return g.rounded(g.op("Mul", codewords, "input_scale"), rules.BYTE)


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


def _step_encoding(g: Graph, index: str, count: int, chains: int) -> str:
    """Nodes that compute `adapter.step_encoding`, as [count / chains, chains, ENCODING]."""
    column = g.op("Unsqueeze", index, g.ints(1))
    powers = g.constant("bit_scale", 2.0 ** -np.arange(12, dtype=np.float32)[None])
    shifted = g.op("Floor", g.op("Mul", column, powers))
    half = g.op("Floor", g.op("Mul", shifted, g.scalar(0.5)))
    bits = g.op("Sub", shifted, g.op("Mul", half, g.scalar(2)))
    peak = float(rules.ENCODING_PEAK)
    bits = g.op("Sub", g.op("Mul", bits, g.scalar(2 * peak)), g.scalar(peak))
    frequencies, phases = (np.array(v, np.float32)[None] for v in rules.wave_parameters())
    saw = g.op("Mul", column, g.constant("wave_frequency", frequencies))
    saw = g.op("Add", saw, g.constant("wave_phase", phases))
    turns = g.op("Floor", g.op("Mul", saw, g.scalar(1 / 4096)))
    saw = g.op("Sub", saw, g.op("Mul", turns, g.scalar(4096)))
    bend = g.op("Abs", g.op("Sub", saw, g.scalar(2048)))
    waves = g.op("Sub", g.op("Floor", g.op("Mul", bend, g.scalar(1 / 16))), g.scalar(peak))
    constant = g.op("Add", g.op("Mul", column, g.scalar(0)), g.scalar(peak))
    encoding = g.op("Concat", constant, bits, waves, axis=1)
    return g.op("Reshape", encoding, g.ints(count // chains, chains, rules.ENCODING))


def build(adapter: Adapter) -> onnx.ModelProto:
    """The graph of a calibrated adapter. The base codebook is an input, not part of the file."""
    base_count, dim = adapter.base.shape
    chains, count, hidden = adapter.chains, adapter.codewords, adapter.encoder.hidden
    steps, read = count // chains, base_count // chains
    g = Graph("")
    for which, cell in (("encoder", adapter.encoder), ("decoder", adapter.decoder)):
        weight = cell.integer_weight().detach().cpu().numpy().astype(np.int8)
        g.op("Cast", g.constant(f"{which}_weight", weight), output=f"{which}_weight_f", to=1)
        g.constant(f"{which}_scale", cell.argument_scale().cpu().numpy().astype(np.float32))
    output = adapter.integer_output().detach().cpu().numpy().astype(np.int8)
    g.op("Cast", g.constant("output_weight", output), output="output_weight_f", to=1)
    g.constant("output_scale", adapter.output_scale().cpu().numpy().astype(np.float32))
    start = rules._Round.apply(adapter.start, rules.CODEWORD_LIMIT).detach().cpu().numpy()
    g.constant("start", start.astype(np.float32))
    g.constant("parent", np.array(rules.parent_steps(steps), np.int64))
    g.constant("neighbour", rules.neighbour_chains(chains).numpy())
    g.constant("input_scale", (2.0**-adapter.input_bits).cpu().numpy().astype(np.float32))
    for name, table in zip(("sigmoid", "tanh", "cell_tanh"), rules.gate_tables(), strict=True):
        stored = g.constant(f"{name}_table", table.numpy().astype(np.int16))
        g.op("Cast", stored, output=f"{name}_f", to=1)

    base = g.floats("base")
    blocks = g.op("Reshape", base, g.ints(read, chains, dim))
    state0 = g.op("Expand", g.scalar(0), g.ints(chains, hidden))

    e = Graph("enc_")
    codewords = e.op("Gather", blocks, "t_encode", axis=0)
    constant = e.op("Expand", e.scalar(rules.ENCODING_PEAK), e.ints(chains, 1))
    u = e.op("Concat", _as_input(e, codewords), constant, "enc_h_in", axis=1)
    _cell(e, u, "enc_c_in", hidden, "encoder", ("enc_h_out", "enc_c_out"))
    states = [chains, hidden]
    carried = [("enc_h_in", "enc_h_out", states), ("enc_c_in", "enc_c_out", states)]
    body = _loop_body("encode", e, carried)
    g.nodes.append(
        helper.make_node("Loop", [g.ints(read), "", state0, state0], ["enc_h", "enc_c"], body=body)
    )

    # Which steps are fed an original codeword, and which one.
    index = g.op("Range", g.scalar(0), g.scalar(count), g.scalar(1))
    row = g.op("Floor", g.op("Mul", index, g.scalar(1 / chains)))
    chain = g.op("Sub", index, g.op("Mul", row, g.scalar(chains)))
    place = g.op("Add", row, chain)
    odd = g.op("Floor", g.op("Mul", place, g.scalar(0.5)))
    odd = g.op("Sub", place, g.op("Mul", odd, g.scalar(2)))
    early = g.floats(g.op("Less", index, g.scalar(2 * base_count)))
    forced = g.op("Mul", g.op("Sub", g.scalar(1), odd), early)
    forced = g.op("Reshape", forced, g.ints(steps, chains, 1))
    pairs = g.op("Reshape", base, g.ints(base_count, 1, dim))
    pairs = g.op("Expand", pairs, g.ints(base_count, 2, dim))
    pairs = g.op("Reshape", pairs, g.ints(2 * read, chains, dim))
    silence = g.op("Expand", g.scalar(0), g.ints(steps - 2 * read, chains, dim))
    originals = g.op("Mul", g.op("Concat", pairs, silence, axis=0), forced)
    encoding = _step_encoding(g, index, count, chains)

    d = Graph("dec_")
    mask = d.op("Gather", forced, "t_decode", axis=0)
    original = d.op("Gather", originals, "t_decode", axis=0)
    parent = d.op("Gather", "parent", "t_decode", axis=0)
    parent = d.op("Gather", d.op("Gather", "dec_all_in", parent, axis=0), "neighbour", axis=0)
    free = d.op("Sub", d.scalar(1), mask)
    fed = d.op("Add", original, d.op("Mul", free, parent))
    known = d.op("Gather", encoding, "t_decode", axis=0)
    u = d.op("Concat", _as_input(d, fed), known, "dec_h_in", axis=1)
    _cell(d, u, "dec_c_in", hidden, "decoder", ("dec_h_out", "dec_c_out"))
    change = d.op("Mul", d.op("MatMul", "dec_h_out", "output_weight_f"), "output_scale")
    emitted = d.op("Add", fed, d.rounded(change, 2.0**20))
    limit = float(rules.CODEWORD_LIMIT)
    emitted = d.clamp(emitted, -limit, limit)
    place = d.op("Reshape", "t_decode", d.ints(1, 1))
    emitted = d.op("Unsqueeze", emitted, d.ints(0))
    d.op("ScatterND", "dec_all_in", place, emitted, output="dec_all_out")
    carried = [
        ("dec_h_in", "dec_h_out", states),
        ("dec_c_in", "dec_c_out", states),
        ("dec_all_in", "dec_all_out", [steps, chains, dim]),
    ]
    body = _loop_body("decode", d, carried)
    # Step 0 is its own parent: what it is fed there is the start vector.
    begin = g.op("Expand", "start", g.ints(steps, chains, dim))
    g.nodes.append(
        helper.make_node(
            "Loop",
            [g.ints(steps), "", "enc_h", "enc_c", begin],
            ["dec_h", "dec_c", "emitted"],
            body=body,
        )
    )
    rows = g.op("Reshape", "emitted", g.ints(count, dim))
    g.op("Cast", rows, output="codebook", to=TensorProto.INT32)
    integer = TensorProto.INT32
    return g.model(
        "raq_adapter",
        [helper.make_tensor_value_info("base", integer, [base_count, dim])],
        [helper.make_tensor_value_info("codebook", integer, [count, dim])],
    )
