"""PSNR of the luma plane, whole pictures at a time."""

from __future__ import annotations

import math

import numpy as np
import torch

from .data import Planes
from .model import UNQUANTISED_LEVEL, Autoencoder

PAD = 32
"""Pictures are padded to multiples of this by repeating their edges, as the programs do."""


def pad_planes(picture: Planes) -> tuple[np.ndarray, np.ndarray]:
    """Luma u8 [1,1,H,W] and chroma u8 [1,2,H/2,W/2] with sides that are multiples of PAD."""
    below, right = (-side % PAD for side in picture[0].shape)
    luma = np.pad(picture[0], ((0, below), (0, right)), mode="edge")
    chroma = np.pad(picture[1], ((0, 0), (0, below // 2), (0, right // 2)), mode="edge")
    return luma[None, None], chroma[None]


def psnr_luma(decoded: np.ndarray, picture: Planes) -> float:
    """PSNR in dB of a decoded luma plane u8 [1,1,H,W]; its padding is cut off."""
    height, width = picture[0].shape
    plane = decoded[0, 0, :height, :width].astype(np.float64)
    error = np.mean((plane - picture[0]) ** 2)
    return 10 * math.log10(255**2 / max(error, 1e-10))


@torch.no_grad()
def mean_psnr(model: Autoencoder, pictures: list[Planes]) -> float:
    """Mean PSNR-Y of pictures whose latents are not quantised."""
    device = model.encoder.basis.device
    total = 0.0
    for picture in pictures:
        luma, chroma = (torch.from_numpy(p).to(device).float() for p in pad_planes(picture))
        latents = model.encode(luma, chroma)
        decoded = model.decode(latents, torch.full_like(latents[:, :1], UNQUANTISED_LEVEL))[0]
        total += psnr_luma(decoded.round().clamp(0, 255).byte().cpu().numpy(), picture)
    return total / len(pictures)
