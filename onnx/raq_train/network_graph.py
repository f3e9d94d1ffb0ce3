"""Encoder and decoder as ONNX graphs of any frame size, with everything linear folded together.

Planes go in and out as bytes. Latents are in grid units (`LATENT_SCALE` per unit of a pixel), laid
out [1, h, w, D] as the nearest-codeword search wants them. Strided convolutions take the samples
of a position apart; the centring of pixels, the weight of chroma and all scales sit in the weights.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper
from torch import nn

from . import model as rules
from .graph import Graph
from .model import BLOCK, LATENT_SCALE, Autoencoder

LUMA = BLOCK * BLOCK


def _array(tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().astype(np.float32)


def _blocks(g: Graph, x: str, trunk: nn.Sequential) -> str:
    """The residual blocks between the first and the last layer of a trunk."""
    for n, block in enumerate(list(trunk)[1:-1]):
        name = f"block{n}"
        y = x
        for k, layer in enumerate(block.spatial):
            y = g.conv(
                y,
                f"{name}_spatial{k}",
                _array(layer.weight),
                _array(layer.bias),
                group=layer.groups,
                pads=[1, 1, 1, 1],
            )
        y = g.conv(y, f"{name}_widen", _array(block.widen.weight), _array(block.widen.bias))
        y = g.op("Relu", y)
        y = g.conv(y, f"{name}_narrow", _array(block.narrow.weight), _array(block.narrow.bias))
        x = g.op("Add", x, y)
    return x


def _value(name: str, kind: int, *shape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, list(shape))


def encoder(model: Autoencoder) -> onnx.ModelProto:
    """`luma` u8 [1,1,H,W], `chroma` u8 [1,2,H/2,W/2] to `latents` f32 [1,H/8,W/8,D]."""
    net = model.encoder
    dim = net.basis.shape[0]
    # One convolution gives the linear latents and the first layer of the network branch.
    samples = _array(net.basis) * LATENT_SCALE
    bias = np.zeros(dim, np.float32)
    if net.trunk is not None:
        first = net.trunk[0]
        samples = np.concatenate([samples, _array(first.weight)[:, :, 0, 0] / 64.0])
        bias = np.concatenate([bias, _array(first.bias)])
    luma = samples[:, :LUMA].reshape(-1, 1, BLOCK, BLOCK)
    chroma = samples[:, LUMA:].reshape(-1, 2, BLOCK // 2, BLOCK // 2) * model.chroma_weight
    centre = -128.0 * (luma.sum((1, 2, 3)) + chroma.sum((1, 2, 3)))
    g = Graph("")
    y = g.op("Cast", "luma", to=TensorProto.FLOAT)
    c = g.op("Cast", "chroma", to=TensorProto.FLOAT)
    y = g.conv(y, "luma_in", luma, (bias + centre).astype(np.float32), strides=[BLOCK, BLOCK])
    c = g.conv(c, "chroma_in", chroma.astype(np.float32), None, strides=[BLOCK // 2, BLOCK // 2])
    latents = g.op("Add", y, c)
    if net.trunk is not None:
        linear = g.op("Slice", latents, g.ints(0), g.ints(dim), g.ints(1))
        x = g.op("Slice", latents, g.ints(dim), g.ints(samples.shape[0]), g.ints(1))
        x = _blocks(g, x, net.trunk)
        gain = rules._GAIN * LATENT_SCALE
        last = net.trunk[-1]
        x = g.conv(x, "out", _array(last.weight) * gain, _array(last.bias) * gain)
        latents = g.op("Add", linear, x)
    g.op("Transpose", latents, output="latents", perm=[0, 2, 3, 1])
    byte = TensorProto.UINT8
    return g.model(
        "raq_encoder",
        [
            _value("luma", byte, 1, 1, "height", "width"),
            _value("chroma", byte, 1, 2, "half_height", "half_width"),
        ],
        [_value("latents", TensorProto.FLOAT, 1, "rows", "columns", dim)],
    )


def decoder(model: Autoencoder) -> onnx.ModelProto:
    """`latents` f32 [1,h,w,D] (grid units), `depth` f32 [1,h,w] (the level, 0 to 96) to `luma` and
    `chroma` u8.
    """
    net = model.decoder
    dim = net.basis.shape[0]
    g = Graph("")
    z = g.op("Transpose", "latents", perm=[0, 3, 1, 2])
    depth = g.op("Unsqueeze", "depth", g.ints(1))
    above = g.op("Sub", depth, g.scalar(rules._LOWEST_LEVEL))
    octaves = g.clamp(g.op("Mul", above, g.scalar(1 / 4)), 0.0, 16.0)
    fineness = g.op("Sub", g.op("Mul", octaves, g.scalar(1 / 8)), g.scalar(1))
    known = g.op("Concat", z, fineness, g.op("Mul", fineness, fineness), axis=1)
    first, last = net.trunk[0], net.trunk[-1]
    weight = _array(first.weight).copy()
    weight[:, :dim, 0, 0] /= _array(net.spread) * LATENT_SCALE
    x = _blocks(g, g.conv(known, "in", weight, _array(first.bias)), net.trunk)
    # Chroma leaves the codec's scale and both planes their centring in the last layers.
    rows = np.ones(rules.PATCH, np.float32)
    rows[LUMA:] = 1 / model.chroma_weight
    gain = (rows * rules._GAIN)[:, None, None, None]
    bias = _array(last.bias) * gain[:, 0, 0, 0] + 128.0
    x = g.conv(x, "out", _array(last.weight) * gain, bias.astype(np.float32))
    basis = _array(net.basis).T * rows[:, None] / LATENT_SCALE
    x = g.op("Add", x, g.conv(z, "linear", basis[:, :, None, None].astype(np.float32), None))
    for name, low, high, block in (
        ("luma", 0, LUMA, BLOCK),
        ("chroma", LUMA, rules.PATCH, BLOCK // 2),
    ):
        part = g.op("Slice", x, g.ints(low), g.ints(high), g.ints(1))
        plane = g.op("DepthToSpace", part, blocksize=block, mode="CRD")
        plane = g.op("Clip", g.op("Round", plane), g.scalar(0), g.scalar(255))
        g.op("Cast", plane, output=name, to=TensorProto.UINT8)
    byte = TensorProto.UINT8
    return g.model(
        "raq_decoder",
        [
            _value("latents", TensorProto.FLOAT, 1, "rows", "columns", dim),
            _value("depth", TensorProto.FLOAT, 1, "rows", "columns"),
        ],
        [
            _value("luma", byte, 1, 1, "height", "width"),
            _value("chroma", byte, 1, 2, "half_height", "half_width"),
        ],
    )
