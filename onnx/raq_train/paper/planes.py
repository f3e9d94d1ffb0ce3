"""The product's autoencoder as one of the paper's networks, for runs that are to be streamed with.

Pictures are RGB here and planar YUV 4:2:0 there (BT.601, full range). The encoder is linear, the
principal components of the first batch; its latents are divided by `SCALE` on the way to the
quantiser, since the states of an LSTM lie between -1 and 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..config import ModelConfig
from ..model import UNQUANTISED_LEVEL, Autoencoder, to_patches
from .quantise import agreed
from .settings import NetworkSettings

SCALE = 256.0
"""Pixel units in one unit of the quantiser's vectors."""

CHROMA_WEIGHT = 0.6

_YUV = torch.tensor(
    [
        [0.299, 0.587, 0.114],
        [-0.168736, -0.331264, 0.5],
        [0.5, -0.418688, -0.081312],
    ]
)
"""ITU-R BT.601 without offsets: rows Y, Cb, Cr."""


def to_planes(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """RGB f32 [N, 3, S, S], 0 to 1, to luma [N, 1, S, S] and chroma [N, 2, S/2, S/2], 0 to 255."""
    yuv = torch.einsum("ij,njhw->nihw", _YUV.to(pictures.device), 255 * pictures)
    return yuv[:, :1], functional.avg_pool2d(yuv[:, 1:], 2) + 128


def to_rgb(luma: Tensor, chroma: Tensor) -> Tensor:
    """The way back; values may leave 0 to 1."""
    whole = functional.interpolate(chroma - 128, scale_factor=2, mode="nearest")
    inverse = torch.linalg.inv(_YUV).to(luma.device)
    return torch.einsum("ij,njhw->nihw", inverse, torch.cat([luma, whole], 1)) / 255


class Planes(nn.Module):
    """One grid of latents at an eighth of the resolution, linear on the way in."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.config = ModelConfig(
            latent_dim=settings.dim,
            encoder_blocks=0,
            decoder_channels=settings.channels,
            decoder_blocks=settings.blocks,
        )
        self.whole = Autoencoder(self.config, CHROMA_WEIGHT)

    @torch.no_grad()
    def begin(self, pictures: Tensor) -> None:
        """Take the principal components of a first batch."""
        if bool(self.whole.encoder.basis.any()):
            return
        patches = to_patches(*to_planes(pictures), CHROMA_WEIGHT)
        self.whole.set_basis(patches.permute(0, 2, 3, 1).reshape(-1, patches.shape[1]))
        for buffer in self.whole.buffers():
            buffer.copy_(agreed(buffer.clone()))

    def encode(self, pictures: Tensor) -> list[Tensor]:
        """Pictures f32 [N, 3, S, S] to latents [N, dim, S/8, S/8], one grid."""
        return [self.whole.encode(*to_planes(pictures)) / SCALE]

    def decode(self, latents: list[Tensor]) -> Tensor:
        """The way back."""
        values = latents[0] * SCALE
        level = torch.full_like(values[:, :1], UNQUANTISED_LEVEL)
        return to_rgb(*self.whole.decode(values, level))
