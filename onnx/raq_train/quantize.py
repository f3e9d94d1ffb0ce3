"""Make the decoder of 8-bit integers: `python -m raq_train.quantize --model models/base --run RUN`.

Writes decoder_int8.onnx beside decoder.onnx, with the same inputs and outputs, and lists it in
the manifest; programs take it where the processor multiplies bytes quickly. Static quantisation in
ONNX's QDQ form: weights i8 for each channel, activations u8 in the ranges that the run's coded
clips show, held ones left out. `raq_train.evaluate` measures what it loses.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from blake3 import blake3
from onnxruntime import quantization as ort

from . import coded
from . import config as configuration
from .coded import Coded

DECODER, INT8 = "decoder.onnx", "decoder_int8.onnx"

EXACT = ("linear", "in", "out")
"""Convolutions that stay f32, by the name of their weights: the linear codec, whose errors would
be the picture's, and the first and last layers."""

FRAMES = (8, 30)
"""Frames of a clip that the ranges are taken from: coarse still, and refined."""


class Frames(ort.CalibrationDataReader):
    """The decoder's inputs for some frames of every clip."""

    def __init__(self, clips: list[Coded]) -> None:
        self.frames = self._frames(clips)

    @staticmethod
    def _frames(clips: list[Coded]) -> Iterator[dict[str, np.ndarray]]:
        for clip in clips:
            for frame in sorted({min(frame, len(clip.sums) - 1) for frame in FRAMES}):
                yield inputs(clip, frame)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.frames, None)


def inputs(clip: Coded, frame: int) -> dict[str, np.ndarray]:
    """What the decoder gets: latents f32 [1, h, w, D] in grid units, depth f32 [1, h, w]."""
    return {
        "latents": np.asarray(clip.sums[frame], np.float32)[None],
        "depth": np.asarray(clip.levels[frame], np.float32)[None],
    }


def inner_nodes(graph: onnx.GraphProto) -> list[str]:
    """Names the nodes of a decoder and returns those to quantise.

    They are the convolutions of the residual blocks, where there are several without the first
    one's spatial ones: these see the largest differences between channels, and in `models/base`
    cost a fifth of what is lost for a fiftieth of the time. Sums of blocks stay f32: as bytes
    they would cost another tenth and save nothing.
    """
    blocks: dict[str, list[onnx.NodeProto]] = {}
    block = ""
    for node in graph.node:
        node.name = node.output[0]
        if node.op_type == "Conv":
            block = node.input[1].split("_")[0]
        if node.op_type in ("Conv", "Relu") and block not in EXACT:
            blocks.setdefault(block, []).append(node)
    parts = list(blocks.values())
    if len(parts) > 1:
        parts[0] = [node for node in parts[0] if "_spatial" not in "".join(node.input)]
    return [node.name for part in parts for node in part]


def quantise(model: onnx.ModelProto, clips: list[Coded]) -> onnx.ModelProto:
    """The decoder `model` in integers, its ranges those of `clips`."""
    nodes = inner_nodes(model.graph)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / INT8
        ort.quantize_static(
            model,
            path,
            Frames(clips),
            quant_format=ort.QuantFormat.QDQ,
            per_channel=True,
            activation_type=ort.QuantType.QUInt8,
            weight_type=ort.QuantType.QInt8,
            nodes_to_quantize=nodes,
            calibrate_method=ort.CalibrationMethod.MinMax,
            extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
        )
        return onnx.load(path)


def add(folder: Path, clips: list[Coded]) -> int:
    """Write decoder_int8.onnx into a model folder and its manifest; returns its bytes."""
    made = quantise(onnx.load(folder / DECODER), clips)
    data = made.SerializeToString(deterministic=True)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["files"][INT8] = {"bytes": len(data), "blake3": blake3(data).hexdigest()}
    (folder / INT8).write_bytes(data)
    path.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return len(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="model folder to add it to")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run that made it")
    options = parser.parse_args()
    try:
        config = configuration.load(options.run / "config.toml")
        size = add(options.model, list(coded.load(config, options.run, held=False)))
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(f"{options.model / INT8}: {size} bytes")


if __name__ == "__main__":
    main()
