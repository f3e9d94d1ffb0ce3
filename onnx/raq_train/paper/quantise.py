"""Nearest codewords, the loss that goes with them, and a codebook kept by moving averages."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

CHUNK = 1 << 24
"""Scores computed at once in `assign`, floats."""


def assign(rows: Tensor, codebook: Tensor) -> Tensor:
    """The nearest codeword (Euclidean) of each vector: indices [M] of `rows` [M, D]."""
    energy = 0.5 * codebook.pow(2).sum(1)
    step = max(1, CHUNK // max(1, len(codebook)))
    return torch.cat([(part @ codebook.T - energy).argmax(1) for part in rows.split(step)])


@dataclass(frozen=True)
class Quantised:
    """What became of latents: `rows` [M, D], through which gradients pass straight, the chosen
    `indices` [M] or [M, stages], and the terms of the loss.
    """

    rows: Tensor
    indices: Tensor
    loss: Tensor


def quantise(rows: Tensor, codebook: Tensor, commitment: float) -> Quantised:
    """The nearest codewords; the loss pulls them to the latents, and by `commitment` the other way
    round (van den Oord et al., 2017). Gradients reach the codebook through the first term alone.
    """
    indices = assign(rows.detach(), codebook.detach())
    chosen = codebook[indices]
    loss = commitment * functional.mse_loss(rows, chosen.detach())
    if codebook.requires_grad:
        loss = loss + functional.mse_loss(chosen, rows.detach())
    return Quantised(rows + (chosen - rows).detach(), indices, loss)


def together(value: Tensor) -> Tensor:
    """The sum over all processes."""
    if distributed.is_initialized():
        distributed.all_reduce(value)
    return value


def agreed(value: Tensor) -> Tensor:
    """The first process's value in all of them."""
    if distributed.is_initialized():
        distributed.broadcast(value, 0)
    return value


class Restart:
    """Moves codewords that hardly any latent chooses onto latents.

    `share` is the part of its even share of a batch below which a codeword counts as dead.
    """

    def __init__(self, share: float) -> None:
        self.share = share

    def dead(self, use: Tensor) -> Tensor:
        """Which of the codewords are, given how much each is used [K]."""
        return use < self.share * use.sum() / len(use)

    def replacements(self, rows: Tensor, count: int) -> Tensor:
        """Latents to begin anew with [count, D], the same in all processes."""
        pick = torch.randint(len(rows), (count,), device=rows.device)
        return agreed(rows.detach()[pick].contiguous())


class EmaCodebook(nn.Module):
    """K codewords that follow the latents which choose them (decay per step, no gradient).

    The authors' code also trains them by gradient, and overwrites that in the next step; here is
    only what remains. With `restart` they begin as latents, and unused ones do so again.
    """

    def __init__(self, codewords: int, dim: int, decay: float, restart: float) -> None:
        super().__init__()
        self.decay, self.restart = decay, Restart(restart)
        bound = 1 / codewords
        table = torch.empty(codewords, dim).uniform_(-bound, bound)
        self.register_buffer("table", table)
        self.register_buffer("sums", table.clone())
        self.register_buffer("counts", torch.ones(codewords))
        self.register_buffer("begun", torch.tensor(restart == 0))

    @torch.no_grad()
    def begin(self, rows: Tensor) -> None:
        """Start from latents, where that is wanted and has not happened."""
        if bool(self.begun):
            return
        self.table.copy_(self.restart.replacements(rows, len(self.table)))
        self.sums.copy_(self.table)
        self.begun.fill_(True)

    @torch.no_grad()
    def follow(self, rows: Tensor, indices: Tensor) -> None:
        """Move towards the latents [M, D] that chose the codewords of `indices` [M]."""
        size = len(self.table)
        counts = together(torch.bincount(indices, minlength=size).to(rows.dtype))
        sums = together(torch.zeros_like(self.table).index_add_(0, indices, rows.detach()))
        self.counts.lerp_(counts, 1 - self.decay)
        self.sums.lerp_(sums, 1 - self.decay)
        # Laplace smoothing keeps codewords finite that nothing chooses.
        total = self.counts.sum()
        smoothed = (self.counts + 1e-5) / (total + size * 1e-5) * total
        self.table.copy_(self.sums / smoothed[:, None])
        if self.restart.share:
            dead = self.restart.dead(self.counts)
            self.table[dead] = self.restart.replacements(rows, int(dead.sum()))
            mean = total / size
            self.counts[dead] = mean
            self.sums[dead] = self.table[dead] * mean


def draw_size(smallest: int, largest: int, draw: str, random: torch.Generator) -> int:
    """K̃ for a step: any integer of the range alike, or its logarithm alike."""
    if draw == "uniform":
        return int(torch.randint(smallest, largest + 1, (), generator=random))
    span = math.log2((largest + 1) / smallest)
    size = int(smallest * 2 ** (float(torch.rand((), generator=random)) * span))
    return min(size, largest)
