"""ST-LPIPS of pairs of pictures: `python -m raq_train.st_lpips --weights FILE --size WxH`.

A. Ghildyal and F. Liu, "Shift-tolerant Perceptual Similarity Metric", ECCV 2022: LPIPS on an
AlexNet that was trained with blurred pooling. Its numbers are not those of LPIPS. The weights are
the authors' file `alex_shift_tolerant.pth`, from their package stlpips-pytorch.

Standard input is pairs of rgb24 pictures without headers; for each pair a line with its distance is
printed at once, so that a program may wait for it. Runs on the CPU.
"""

from __future__ import annotations

import argparse
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor
from torch.nn import functional

SMALLEST_SIDE = 21
"""Smaller pictures leave nothing to mirror at the last blur."""

_CHANNELS = (64, 192, 384, 256, 256)
_SHAPES = {
    "scaling_layer.shift": (1, 3, 1, 1),
    "scaling_layer.scale": (1, 3, 1, 1),
    "net.slice1.0.weight": (64, 3, 11, 11),
    "net.slice1.0.bias": (64,),
    "net.slice1.1.filt": (64, 1, 3, 3),
    "net.slice2.4.filt": (64, 1, 3, 3),
    "net.slice2.5.weight": (192, 64, 5, 5),
    "net.slice2.5.bias": (192,),
    "net.slice3.8.filt": (192, 1, 3, 3),
    "net.slice3.9.weight": (384, 192, 3, 3),
    "net.slice3.9.bias": (384,),
    "net.slice4.11.weight": (256, 384, 3, 3),
    "net.slice4.11.bias": (256,),
    "net.slice5.13.weight": (256, 256, 3, 3),
    "net.slice5.13.bias": (256,),
} | {f"lin{level}.model.1.weight": (1, many, 1, 1) for level, many in enumerate(_CHANNELS)}


class StLpips:
    """The metric with its weights.

    Raises ValueError, with a cure, where the file is missing or holds other weights.
    """

    def __init__(self, weights: Path) -> None:
        cure = "give alex_shift_tolerant.pth of the package stlpips-pytorch"
        try:
            held = torch.load(weights, map_location="cpu", weights_only=True)
        except OSError as error:
            raise ValueError(f"cannot read {weights}: {error.strerror}; {cure}") from error
        except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
            raise ValueError(f"{weights} holds no weights; {cure}") from error
        named = held if isinstance(held, dict) else {}
        if {name: tuple(getattr(one, "shape", ())) for name, one in named.items()} != _SHAPES:
            raise ValueError(f"{weights} holds no weights of this network; {cure}")
        self._weights: dict[str, Tensor] = dict(named)

    @torch.no_grad()
    def distances(self, originals: Tensor, others: Tensor) -> Tensor:
        """Distances f32 [N], 0 for equal pictures, from RGB f32 [N, 3, H, W] in -1 to 1.

        Raises ValueError where shapes differ or a side is below SMALLEST_SIDE.
        """
        if originals.shape != others.shape or min(originals.shape[2:]) < SMALLEST_SIDE:
            raise ValueError(f"pairs of one size, sides of {SMALLEST_SIDE} or more, are compared")
        total = torch.zeros(len(originals))
        pairs = zip(self._features(originals), self._features(others), strict=True)
        for level, (one, other) in enumerate(pairs):
            squares = (_unit(one) - _unit(other)) ** 2
            weighted = functional.conv2d(squares, self._weights[f"lin{level}.model.1.weight"])
            total += weighted.mean((1, 2, 3))
        return total

    def _features(self, pictures: Tensor) -> Iterator[Tensor]:
        """Activations [N, C, h, w] of the five levels, one after the other."""
        weights = self._weights
        pictures = (pictures - weights["scaling_layer.shift"]) / weights["scaling_layer.scale"]
        # The first convolution has stride 1, and its blur stands before the rectifier.
        yield (level := self._blurred(self._convolved(pictures, "slice1.0", 2), "slice1.1").relu_())
        level = self._blurred(functional.max_pool2d(level, 3, 1), "slice2.4")
        yield (level := self._convolved(level, "slice2.5", 2).relu_())
        level = self._blurred(functional.max_pool2d(level, 3, 1), "slice3.8")
        yield (level := self._convolved(level, "slice3.9", 1).relu_())
        yield (level := self._convolved(level, "slice4.11", 1).relu_())
        yield self._convolved(level, "slice5.13", 1).relu_()

    def _convolved(self, level: Tensor, name: str, padding: int) -> Tensor:
        weight, bias = (self._weights[f"net.{name}.{part}"] for part in ("weight", "bias"))
        return functional.conv2d(level, weight, bias, padding=padding)

    def _blurred(self, level: Tensor, name: str) -> Tensor:
        """Every second sample of the level, mirrored by 2 at its sides and low-pass filtered."""
        kernel = self._weights[f"net.{name}.filt"]
        mirrored = functional.pad(level, (2, 2, 2, 2), mode="reflect")
        return functional.conv2d(mirrored, kernel, stride=2, groups=len(kernel))


def _unit(level: Tensor) -> Tensor:
    """Features [N, C, h, w] of length 1 at each position."""
    return level / (level.square().sum(1, keepdim=True).sqrt() + 1e-10)


def pictures(stream: BinaryIO, width: int, height: int, count: int) -> Tensor | None:
    """The next rgb24 pictures of a stream as f32 [count, 3, H, W] in -1 to 1; None at its end.

    Raises ValueError where it ends within them.
    """
    expected = count * 3 * width * height
    held = bytearray(stream.read(expected))
    if not held:
        return None
    if len(held) < expected:
        raise ValueError(f"the input ends after {len(held)} of {expected} bytes of a pair")
    rows = torch.frombuffer(held, dtype=torch.uint8).reshape(count, height, width, 3)
    return rows.permute(0, 3, 1, 2).float() / 127.5 - 1


def size(text: str) -> tuple[int, int]:
    """Width and height of WxH, both at least SMALLEST_SIDE."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; give WIDTHxHEIGHT")
    if min(int(width), int(height)) < SMALLEST_SIDE:
        raise argparse.ArgumentTypeError(f"{text} is too small; give sides from {SMALLEST_SIDE}")
    return int(width), int(height)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--weights", type=Path, required=True, metavar="FILE")
    parser.add_argument("--size", type=size, required=True, metavar="WxH")
    arguments = parser.parse_args()
    try:
        metric = StLpips(arguments.weights)
        while (pair := pictures(sys.stdin.buffer, *arguments.size, 2)) is not None:
            print(f"{metric.distances(pair[:1], pair[1:]).item():.8f}", flush=True)
    except ValueError as error:
        sys.exit(f"st_lpips: {error}")


if __name__ == "__main__":
    main()
