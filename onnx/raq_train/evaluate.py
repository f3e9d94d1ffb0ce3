"""PSNR of the luma plane, whole pictures at a time."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .data import Planes
from .model import UNQUANTISED_DEPTH, Autoencoder

PAD = 32
"""Pictures are padded to multiples of this by repeating their edges, as the programs do."""


def to_tensors(picture: Planes) -> tuple[Tensor, Tensor]:
    """One picture as padded planes: luma f32 [1,1,H,W], chroma f32 [1,2,H/2,W/2]."""
    luma = torch.from_numpy(picture[0].astype(np.float32))[None, None]
    chroma = torch.from_numpy(picture[1].astype(np.float32))[None]
    below, right = -luma.shape[2] % PAD, -luma.shape[3] % PAD
    luma = F.pad(luma, (0, right, 0, below), mode="replicate")
    chroma = F.pad(chroma, (0, right // 2, 0, below // 2), mode="replicate")
    return luma, chroma


def psnr_luma(decoded: Tensor, picture: Planes) -> float:
    """PSNR in dB of a decoded luma plane [1,1,H,W], rounded to 8 bits, padding cut off."""
    height, width = picture[0].shape
    plane = decoded[0, 0, :height, :width].round().clamp(0, 255).double()
    error = (plane - torch.from_numpy(picture[0].astype(np.float64))).pow(2).mean().item()
    return 10 * math.log10(255**2 / max(error, 1e-10))


@torch.no_grad()
def unquantised_psnr(model: Autoencoder, pictures: list[Planes]) -> float:
    """Mean PSNR-Y over pictures that pass through the networks without a quantiser."""
    total = 0.0
    for picture in pictures:
        latents = model.encode(*to_tensors(picture))
        depth = torch.full_like(latents[:, :1], UNQUANTISED_DEPTH)
        total += psnr_luma(model.decode(latents, depth)[0], picture)
    return total / len(pictures)
