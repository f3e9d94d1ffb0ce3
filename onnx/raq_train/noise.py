"""Noise like that of the codec, for a decoder that trains on photos alone."""

from __future__ import annotations

import torch
from torch import Tensor

from .model import UNQUANTISED_LEVEL

LEVELS_AN_OCTAVE = 4.0
_UNIT_LEVEL = 86.0
"""The level of noise whose reverse water level is one pixel unit squared."""


class Noise:
    """Draws a water level for each picture, between 0.18 units squared and 1448, and a little
    around it for each tile; near it latents lose what rate-distortion theory takes from Gaussians.

    The same seed gives the same noise.
    """

    def __init__(self, per_picture: int, seed: int) -> None:
        self.per_picture = per_picture
        self.random = torch.Generator().manual_seed(seed)

    def apply(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Latents [N, D, h, w] in pixel units to noisy ones and their levels [N, 1, h, w]."""
        count, _, height, width = latents.shape
        pictures = count // self.per_picture
        octave = torch.rand(pictures, generator=self.random) * 13 - 2.5
        octave = octave.repeat_interleave(self.per_picture)[:, None, None, None]
        tiles = torch.randn((count, 1, -(-height // 4), -(-width // 4)), generator=self.random)
        local = tiles.repeat_interleave(4, 2).repeat_interleave(4, 3)[:, :, :height, :width]
        octave = (octave + 0.7 * local).to(latents.device)
        water = torch.exp2(octave)
        kept = latents**2 / (latents**2 + 2 * water)
        white = torch.randn(latents.shape, generator=self.random).to(latents.device)
        noisy = latents * kept + 0.7 * white * (water * kept).sqrt()
        level = (_UNIT_LEVEL - LEVELS_AN_OCTAVE * octave).clamp(0, UNQUANTISED_LEVEL)
        return noisy, level
