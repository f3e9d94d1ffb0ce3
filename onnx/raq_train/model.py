"""Encoder and decoder: planar YUV 4:2:0 to and from one D-vector per 8x8 luma block.

Both are a frozen linear map (the principal components of training patches, orthonormal) plus a
network branch whose last layer starts at zero, so training begins at the best linear codec; an
encoder of no blocks has no branch. Everything between the first and the last layer runs at 1/8 of
the resolution.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import ModelConfig

BLOCK = 8
"""Luma pixels along one side of a position."""

PATCH = BLOCK * BLOCK + 2 * (BLOCK // 2) ** 2
"""Samples of one position: 64 of luma, 16 of each chroma plane."""

LATENT_SCALE = 2.0
"""Integer grid units per unit of an 8-bit pixel, in the orthonormal latent space."""

MAX_LEVEL = 96
"""The finest level of quality that the codec knows: four levels are an octave of squared error."""

UNQUANTISED_LEVEL = 102.0
"""The level that tells the decoder that a latent was not quantised."""

_LOWEST_LEVEL = 38.0
"""Levels below it look alike to the decoder."""

_GAIN = 16.0
"""Network branches work on values near one; this brings them back to pixel units."""


def to_patches(luma: Tensor, chroma: Tensor, chroma_weight: float) -> Tensor:
    """Planes f32 0..255 [N,1,H,W], [N,2,H/2,W/2] to centred samples [N, PATCH, H/8, W/8].

    Chroma is scaled by `chroma_weight`, which makes the Euclidean norm the codec's error measure.
    """
    y = F.pixel_unshuffle(luma - 128.0, BLOCK)
    c = F.pixel_unshuffle((chroma - 128.0) * chroma_weight, BLOCK // 2)
    return torch.cat([y, c], 1)


def from_patches(patches: Tensor, chroma_weight: float) -> tuple[Tensor, Tensor]:
    """The inverse of `to_patches`; values may leave 0..255."""
    luma = F.pixel_shuffle(patches[:, : BLOCK * BLOCK], BLOCK) + 128.0
    chroma = F.pixel_shuffle(patches[:, BLOCK * BLOCK :], BLOCK // 2) / chroma_weight + 128.0
    return luma, chroma


def principal_components(patches: Tensor, dim: int) -> Tensor:
    """Orthonormal rows [dim, PATCH] that keep most of the energy of `patches` [M, PATCH]."""
    x = patches.double()
    _, vectors = torch.linalg.eigh(x.T @ x / len(x))
    rows = vectors.flip(1)[:, :dim].T
    signs = torch.sign(rows.sum(1, keepdim=True))  # a fixed sign, so that runs can be compared
    return (rows * torch.where(signs == 0, 1.0, signs)).float().contiguous()


class Block(nn.Module):
    """Residual block: 3x3 depth-wise convolutions, then a two-layer network per position."""

    def __init__(self, channels: int, spatial_layers: int) -> None:
        super().__init__()
        self.spatial = nn.Sequential(
            *[
                nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
                for _ in range(spatial_layers)
            ]
        )
        for layer in self.spatial[1:]:
            nn.init.dirac_(layer.weight, groups=channels)
            nn.init.zeros_(layer.bias)
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.narrow = nn.Conv2d(2 * channels, channels, 1)
        with torch.no_grad():
            self.narrow.weight.mul_(0.3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(F.relu(self.widen(self.spatial(x))))


def _trunk(
    inputs: int, channels: int, blocks: int, spatial_layers: int, outputs: int
) -> nn.Sequential:
    last = nn.Conv2d(channels, outputs, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    middle = [Block(channels, spatial_layers) for _ in range(blocks)]
    return nn.Sequential(nn.Conv2d(inputs, channels, 1), *middle, last)


class Encoder(nn.Module):
    """Samples [N, PATCH, h, w] to latents [N, D, h, w] in pixel units.

    Without blocks it is the linear map alone: what a temporal codec wants, whose distances and
    displacements are those of the linear map.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.register_buffer("basis", torch.zeros(config.latent_dim, PATCH))
        self.trunk = None
        if config.encoder_blocks:
            self.trunk = _trunk(
                PATCH,
                config.encoder_channels,
                config.encoder_blocks,
                config.spatial_layers,
                config.latent_dim,
            )

    def forward(self, patches: Tensor) -> Tensor:
        with torch.autocast(patches.device.type, enabled=False):
            linear = F.conv2d(patches.float(), self.basis[:, :, None, None])
        if self.trunk is None:
            return linear
        return linear + self.trunk(patches / 64.0).float() * _GAIN


class Decoder(nn.Module):
    """Latents [N, D, h, w] and levels [N, 1, h, w] to samples [N, PATCH, h, w] in pixel units.

    A level, 0 to `MAX_LEVEL`, says how finely a position was coded; `UNQUANTISED_LEVEL` that it
    was not quantised. One decoder then serves every rate.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.register_buffer("basis", torch.zeros(config.latent_dim, PATCH))
        self.register_buffer("spread", torch.ones(config.latent_dim))
        self.trunk = _trunk(
            config.latent_dim + 2,
            config.decoder_channels,
            config.decoder_blocks,
            config.spatial_layers,
            PATCH,
        )

    def forward(self, latents: Tensor, level: Tensor) -> Tensor:
        with torch.autocast(latents.device.type, enabled=False):
            linear = F.conv2d(latents.float(), self.basis.T[:, :, None, None])
        fineness = ((level - _LOWEST_LEVEL) / 4.0).clamp(0.0, 16.0) / 8.0 - 1.0
        known = [latents / self.spread[None, :, None, None], fineness, fineness * fineness]
        return linear + self.trunk(torch.cat(known, 1)).float() * _GAIN


class Autoencoder(nn.Module):
    """Encoder and decoder around the same frozen basis."""

    def __init__(self, config: ModelConfig, chroma_weight: float) -> None:
        super().__init__()
        self.chroma_weight = chroma_weight
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    def set_basis(self, patches: Tensor) -> None:
        """Start from the principal components of `patches` [M, PATCH] (samples of positions)."""
        basis = principal_components(patches, self.encoder.basis.shape[0])
        self.encoder.basis.copy_(basis)
        self.decoder.basis.copy_(basis)
        self.decoder.spread.copy_((patches @ basis.T).pow(2).mean(0).sqrt() + 4.0)

    def encode(self, luma: Tensor, chroma: Tensor) -> Tensor:
        """Planes (f32, 0..255, sides multiples of 8) to latents in pixel units."""
        return self.encoder(to_patches(luma, chroma, self.chroma_weight))

    def decode(self, latents: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """Latents and levels to planes; values may leave 0..255."""
        return from_patches(self.decoder(latents, level), self.chroma_weight)


def distortion(
    planes: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor], chroma_weight: float
) -> Tensor:
    """Mean squared error per picture [N]; chroma counts by the square of `chroma_weight`."""
    luma = (planes[0] - target[0]).pow(2).mean((1, 2, 3))
    chroma = (planes[1] - target[1]).pow(2).mean((1, 2, 3)) * chroma_weight**2
    return (2 * luma + chroma) / (2 + chroma_weight**2)
