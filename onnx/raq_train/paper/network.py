"""An autoencoder with the quantiser of one arm in its middle."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import arms, autoencoder
from .autoencoder import to_grids, to_rows
from .planes import Planes
from .settings import Experiment, RunSettings


class Network(nn.Module):
    """The networks and the arm of a run."""

    def __init__(self, experiment: Experiment, run: RunSettings) -> None:
        super().__init__()
        self.autoencoder = autoencoder.build(experiment.network)
        self.arm = arms.build(run, experiment.network, experiment.train)

    def forward(self, pictures: Tensor, random: torch.Generator) -> Tensor:
        """The loss of a step for pictures f32 [N, 3, S, S]: of every pass of the arm the error of
        its pictures and the terms of its quantiser, all with the weight 1.
        """
        if isinstance(self.autoencoder, Planes):
            self.autoencoder.begin(pictures)
        grids = self.autoencoder.encode(pictures)
        total = pictures.new_zeros(())
        for made in self.arm.passes(to_rows(grids), random):
            decoded = self.autoencoder.decode(to_grids(made.rows, grids))
            total = total + functional.mse_loss(decoded, pictures) + made.loss
        return total

    @torch.no_grad()
    def latents(self, pictures: Tensor) -> tuple[list[Tensor], Tensor]:
        """Grids of pictures, and the same as vectors."""
        grids = self.autoencoder.encode(pictures)
        return grids, to_rows(grids)

    @torch.no_grad()
    def pictures(self, rows: Tensor, grids: list[Tensor]) -> Tensor:
        """Pictures from vectors in the order of `grids`, from 0 to 1."""
        return self.autoencoder.decode(to_grids(rows, grids)).clamp(0, 1)
