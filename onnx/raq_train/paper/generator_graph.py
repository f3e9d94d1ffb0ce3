"""A trained generator as an ONNX graph for the product: base codebook in, adapted codebook out.

Unlike the product's own adapters it computes in floats, so that machines may round differently:
then their codebooks differ, the receiver notices by the digest, and the sender ships its own.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper
from torch import nn

from ..adapter import CODEWORD_LIMIT
from ..graph import Graph
from .generator import Generator

GATES = (0, 3, 1, 2)
"""Where ONNX's gates (input, output, forget, cell) are in PyTorch's order."""


def _array(parameter) -> np.ndarray:
    return parameter.detach().cpu().numpy().astype(np.float32)


def _gates(parameter) -> np.ndarray:
    """Weights of the four gates, in ONNX's order."""
    parts = np.split(_array(parameter), 4)
    return np.concatenate([parts[n] for n in GATES])


def _lstm_weights(g: Graph, name: str, lstm: nn.LSTM) -> None:
    for layer in range(lstm.num_layers):
        here = f"{name}{layer}"
        for short, long in (("w", "weight_ih"), ("r", "weight_hh")):
            g.constant(f"{here}_{short}", _gates(getattr(lstm, f"{long}_l{layer}"))[None])
        biases = [_gates(getattr(lstm, f"{which}_l{layer}")) for which in ("bias_ih", "bias_hh")]
        g.constant(f"{here}_b", np.concatenate(biases)[None])


def _lstm(g: Graph, name: str, lstm: nn.LSTM, x: str, states: list[tuple[str, str]] | None):
    """`x` [steps, 1, inputs] through all layers: outputs [steps, 1, hidden], and last states."""
    ends = []
    for layer in range(lstm.num_layers):
        here = f"{name}{layer}"
        inputs = [x, f"{here}_w", f"{here}_r", f"{here}_b"]
        if states is not None:
            inputs += ["", *states[layer]]
        g.count += 1
        outputs = [f"{g.prefix}{here}_{part}_{g.count}" for part in ("y", "h", "c")]
        g.nodes.append(helper.make_node("LSTM", inputs, outputs, hidden_size=lstm.hidden_size))
        # Steps, directions, batch, hidden: there is one direction.
        x = g.op("Squeeze", outputs[0], g.ints(1))
        ends.append((outputs[1], outputs[2]))
    return x, ends


def _linear(g: Graph, name: str, x: str, linear: nn.Module) -> str:
    if isinstance(linear, nn.Identity):
        return x
    return g.op("Add", g.op("MatMul", x, f"{name}_weight"), f"{name}_bias")


def _known(g: Graph, generator: Generator, base: int, size: int) -> np.ndarray:
    """Which row of the learned ones followed by the base codebook each step is fed."""
    index = np.arange(size, dtype=np.int64)
    if generator.forcing:
        forced = np.arange(1, min(size, 2 * base), 2)
        index[forced] = len(generator.queries) + (forced - 1) // 2
    return index


def _loop(g: Graph, generator: Generator, size: int, base: int, states: list) -> str:
    """Nodes that emit step by step, each fed what the one before emitted: [size, 1, dims]."""
    dims, layers = generator.queries.shape[1], generator.writer.num_layers
    hidden = generator.writer.hidden_size
    body = Graph("body_")
    forced = np.zeros(size, bool)
    if generator.forcing:
        forced[: min(size, 2 * base) : 2] = True
    body.constant("forced", forced)
    body.constant("which", np.minimum(np.arange(size) // 2, base - 1).astype(np.int64))
    original = body.op("Gather", "rows", body.op("Gather", "which", "step"), axis=0)
    original = body.op("Reshape", original, body.ints(1, 1, dims))
    fed = body.op("Where", body.op("Gather", "forced", "step"), original, "fed")
    carried = [(f"h{n}", f"c{n}") for n in range(layers)]
    output, ends = _lstm(
        body, "writer", generator.writer, _linear(body, "enter", fed, generator.enter), carried
    )
    emitted = _linear(body, "leave", output, generator.leave)
    body.op("Identity", "go", output="on")
    names = ["on", emitted, *(part for pair in ends for part in pair), emitted]
    kind = TensorProto.FLOAT
    state = [1, 1, hidden]
    values = [("fed", [1, 1, dims])] + [(part, state) for pair in carried for part in pair]
    inputs = [helper.make_tensor_value_info("step", TensorProto.INT64, [])]
    inputs.append(helper.make_tensor_value_info("go", TensorProto.BOOL, []))
    inputs += [helper.make_tensor_value_info(name, kind, shape) for name, shape in values]
    shapes = [[1, 1, dims], *[state] * (2 * layers), [1, 1, dims]]
    # The first and the last output are the same tensor, which may be named but once.
    names[-1] = body.op("Identity", emitted)
    outputs = [helper.make_tensor_value_info("on", TensorProto.BOOL, [])]
    outputs += [
        helper.make_tensor_value_info(n, kind, s) for n, s in zip(names[1:], shapes, strict=True)
    ]
    graph = helper.make_graph(body.nodes, "steps", inputs, outputs, body.initialisers)
    start = g.constant("start", _array(generator.queries)[None])
    count = g.constant("count", np.array(size, np.int64))
    always = g.constant("always", np.array(True))
    flat = [part for pair in states for part in pair]
    made = [f"loop_{n}" for n in range(2 + 2 * layers)]
    g.nodes.append(helper.make_node("Loop", [count, always, start, *flat], made, body=graph))
    return g.op("Reshape", made[-1], g.ints(size, 1, dims))


def build(generator: Generator, name: str, base: int, size: int, units: float) -> onnx.ModelProto:
    """The graph for codebook `name`: input `base_NAME` i32 [base, dims], output `codebook_NAME` i32
    [size, dims]; both are integers, of which `units` stand for one of the generator's numbers.
    """
    g, dims = Graph(""), generator.queries.shape[1]
    for lstm in ("reader", "writer"):
        _lstm_weights(g, lstm, getattr(generator, lstm))
    for which in ("enter", "leave"):
        linear = getattr(generator, which)
        if isinstance(linear, nn.Linear):
            g.constant(f"{which}_weight", _array(linear.weight).T)
            g.constant(f"{which}_bias", _array(linear.bias))
    g.op("Mul", g.floats(f"base_{name}"), g.scalar(1 / units), output="rows")
    steps = g.op("Unsqueeze", "rows", g.ints(1))
    _, states = _lstm(
        g, "reader", generator.reader, _linear(g, "enter", steps, generator.enter), None
    )
    if generator.feed == "code":
        table = g.op("Concat", g.constant("queries", _array(generator.queries)), "rows", axis=0)
        index = g.constant("index", _known(g, generator, base, size))
        fed = g.op("Unsqueeze", g.op("Gather", table, index, axis=0), g.ints(1))
        fed = _linear(g, "enter", fed, generator.enter)
        output, _ = _lstm(g, "writer", generator.writer, fed, states)
        emitted = _linear(g, "leave", output, generator.leave)
    else:
        emitted = _loop(g, generator, size, base, states)
    rows = g.op("Reshape", emitted, g.ints(size, dims))
    rows = g.rounded(g.op("Mul", rows, g.scalar(units)), CODEWORD_LIMIT)
    g.op("Cast", rows, output=f"codebook_{name}", to=TensorProto.INT32)

    def port(label: str, count: int):
        return helper.make_tensor_value_info(label, TensorProto.INT32, [count, dims])

    return g.model("raq_generator", [port(f"base_{name}", base)], [port(f"codebook_{name}", size)])
