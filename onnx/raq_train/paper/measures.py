"""What a codebook does to pictures: errors, likeness, and how many bits it takes.

Every figure is over the whole test set; PSNR is the mean over pictures (the authors average squared
errors over batches first, which gives a little less).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.image.fid import FrechetInceptionDistance

from ..st_lpips import StLpips


@dataclass(frozen=True)
class Scales:
    """Measures that need weights: they are left out where there are none.

    `perceptual` is ST-LPIPS, whose numbers are not those of LPIPS; `inception` the file of weights
    that torch-fidelity uses for FID.
    """

    perceptual: StLpips | None = None
    inception: Path | None = None

    @classmethod
    def load(cls, st_lpips: Path | None, inception: Path | None) -> Scales:
        """Raises ValueError, with a cure, where a file is missing or holds other weights."""
        if inception is not None:
            _distance(inception)
        return cls(StLpips(st_lpips) if st_lpips else None, inception)


def _distance(weights: Path) -> FrechetInceptionDistance:
    """An empty FID; pictures are given as u8."""
    if not weights.is_file():
        raise ValueError(f"{weights} is not there; give torch-fidelity's Inception weights")
    try:
        return FrechetInceptionDistance(feature_extractor_weights_path=str(weights))
    except ModuleNotFoundError as error:
        raise ValueError("FID needs the package torch-fidelity; install it with pip") from error
    except Exception as error:
        text = str(error).splitlines()[0]
        raise ValueError(f"{weights} holds no Inception weights: {text}") from error


def psnr(decoded: Tensor, pictures: Tensor) -> Tensor:
    """dB of every picture [N], values from 0 to 1."""
    errors = (decoded - pictures).pow(2).mean((1, 2, 3)).clamp_min(1e-10)
    return -10 * errors.log10()


def ssim(decoded: Tensor, pictures: Tensor) -> Tensor:
    """SSIM (one scale, 11x11 Gaussian, mean of the channels) of every picture [N]."""
    return structural_similarity_index_measure(
        decoded, pictures, data_range=1.0, reduction="none"
    ).reshape(len(pictures))


@dataclass
class Usage:
    """How often each codeword was chosen, stage by stage."""

    counts: list[Tensor] = field(default_factory=list)

    def add(self, indices: Tensor, sizes: list[int]) -> None:
        """`indices` [M, stages] of codebooks of these sizes."""
        if not self.counts:
            self.counts = [torch.zeros(size, dtype=torch.long) for size in sizes]
        for counts, column in zip(self.counts, indices.T, strict=True):
            counts += torch.bincount(column.cpu(), minlength=len(counts))

    def entropy(self) -> float:
        """Bits per latent with an ideal order-0 coder that knows these counts."""
        return sum(_entropy(counts) for counts in self.counts)

    def perplexity(self) -> float:
        """2 to the entropy: how many codewords, evenly used, would tell as much."""
        return 2 ** self.entropy()

    def used(self) -> int:
        """Codewords that were chosen at least once, of all stages."""
        return sum(int((counts > 0).sum()) for counts in self.counts)


def _entropy(counts: Tensor) -> float:
    shares = counts[counts > 0].double() / counts.sum()
    return float(-(shares * shares.log2()).sum())


class Meter:
    """Adds up one arm at one K̃ over the test set."""

    def __init__(self, scales: Scales) -> None:
        self.scales, self.usage = scales, Usage()
        self.sums: dict[str, float] = {}
        self.pictures = self.pixels = self.latents = 0
        self.miss = 0.0
        self.fid = _distance(scales.inception) if scales.inception else None

    @torch.no_grad()
    def add(
        self, decoded: Tensor, pictures: Tensor, miss: Tensor, indices: Tensor, sizes: list[int]
    ) -> None:
        """A batch: pictures from 0 to 1, decoded and as they were; squared distances of latents to
        their codewords [M], and the chosen codewords [M, stages].
        """
        count, _, height, width = pictures.shape
        rounded = (decoded * 255).round() / 255
        values = {
            "psnr-rgb": float(psnr(rounded, pictures).sum()),
            "ssim-rgb": float(ssim(rounded, pictures).sum()),
        }
        if self.scales.perceptual:
            pair = (2 * pictures.cpu() - 1, 2 * rounded.cpu() - 1)
            values["st-lpips"] = float(self.scales.perceptual.distances(*pair).sum())
        if self.fid:
            self.fid.update((pictures * 255).round().byte().cpu(), real=True)
            self.fid.update((rounded * 255).round().byte().cpu(), real=False)
        for key, value in values.items():
            self.sums[key] = self.sums.get(key, 0.0) + value
        self.miss += float(miss.sum())
        self.usage.add(indices, sizes)
        self.pictures += count
        self.pixels += count * height * width
        self.latents += len(indices)

    def figures(self, size: int) -> dict[str, float]:
        """The means, with rates in bits per pixel: of numbers of equal length, and of an ideal
        order-0 coder.
        """
        density = self.latents / self.pixels
        made: dict[str, float] = {"codewords": size}
        made |= {key: value / self.pictures for key, value in self.sums.items()}
        made["latent-mse"] = self.miss / self.latents
        made["bpp"] = math.log2(size) * density
        made["bpp-entropy"] = self.usage.entropy() * density
        made["perplexity"] = self.usage.perplexity()
        made["used"] = self.usage.used()
        if self.fid:
            made["fid"] = float(self.fid.compute())
        return made
