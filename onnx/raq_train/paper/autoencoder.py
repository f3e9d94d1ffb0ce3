"""The paper's autoencoders: VQ-VAE and a VQ-VAE-2 whose two levels share one codebook.

Layers as in the authors' code: a convolution of 8x8 with stride 4, two residual blocks that apply
the rectifier first, a map to codewords; and the mirror image of that. No normalisation, no
attention, no activation at the end.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .planes import Planes
from .settings import NetworkSettings


class Residual(nn.Module):
    """Rectifier, 3x3 to fewer channels, rectifier, 1x1 back, and around all of it."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels, inner, 3, padding=1)
        self.widen = nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, h, w] to the same shape."""
        return x + self.widen(functional.relu(self.narrow(functional.relu(x))))


def _blocks(settings: NetworkSettings) -> list[nn.Module]:
    return [Residual(settings.channels, settings.residual_channels) for _ in range(settings.blocks)]


class VqVae(nn.Module):
    """One grid of latents at a quarter of the resolution."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        channels = settings.channels
        self.encoder = nn.Sequential(
            nn.Conv2d(3, channels, 8, stride=4, padding=2),
            *_blocks(settings),
            nn.ReLU(),
            nn.Conv2d(channels, settings.dim, 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(settings.dim, channels, 3, padding=1),
            *_blocks(settings),
            nn.ReLU(),
            nn.ConvTranspose2d(channels, 3, 8, stride=4, padding=2),
        )

    def encode(self, pictures: Tensor) -> list[Tensor]:
        """Pictures f32 [N, 3, S, S] to latents [N, dim, S/4, S/4], one grid."""
        return [self.encoder(pictures)]

    def decode(self, latents: list[Tensor]) -> Tensor:
        """The way back."""
        return self.decoder(latents[0])


class VqVae2(nn.Module):
    """Two grids, at a quarter and an eighth of the resolution.

    The lower one does not see the upper one, as in the authors' code; in VQ-VAE-2 as published
    (Razavi et al., 2019) it does.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        channels, dim = settings.channels, settings.dim
        self.bottom = nn.Sequential(
            nn.Conv2d(3, channels, 8, stride=4, padding=2), *_blocks(settings), nn.ReLU()
        )
        self.bottom_out = nn.Conv2d(channels, dim, 1)
        self.top = nn.Sequential(
            nn.Conv2d(channels, channels, 4, stride=2, padding=1),
            *_blocks(settings),
            nn.ReLU(),
            nn.Conv2d(channels, dim, 1),
        )
        self.up = nn.ConvTranspose2d(dim, dim, 4, stride=2, padding=1)
        self.decoder = nn.Sequential(
            nn.Conv2d(2 * dim, channels, 3, padding=1),
            *_blocks(settings),
            nn.ReLU(),
            nn.ConvTranspose2d(channels, 3, 8, stride=4, padding=2),
        )

    def encode(self, pictures: Tensor) -> list[Tensor]:
        """Pictures f32 [N, 3, S, S] to latents [N, dim, S/4, S/4] and [N, dim, S/8, S/8]."""
        features = self.bottom(pictures)
        return [self.bottom_out(features), self.top(features)]

    def decode(self, latents: list[Tensor]) -> Tensor:
        """The way back."""
        bottom, top = latents
        return self.decoder(torch.cat([bottom, self.up(top)], 1))


def build(settings: NetworkSettings) -> VqVae | VqVae2 | Planes:
    """The networks of that kind."""
    return {"vqvae": VqVae, "vqvae2": VqVae2, "planes": Planes}[settings.kind](settings)


def to_rows(grids: list[Tensor]) -> Tensor:
    """Grids [N, dim, h, w] as vectors [M, dim], grid after grid, picture after picture."""
    return torch.cat([grid.permute(0, 2, 3, 1).reshape(-1, grid.shape[1]) for grid in grids])


def to_grids(rows: Tensor, like: list[Tensor]) -> list[Tensor]:
    """Vectors back in the grids that they came from."""
    grids, start = [], 0
    for grid in like:
        count, dim, height, width = grid.shape
        part = rows[start : start + count * height * width]
        grids.append(part.reshape(count, height, width, dim).permute(0, 3, 1, 2))
        start += len(part)
    return grids
