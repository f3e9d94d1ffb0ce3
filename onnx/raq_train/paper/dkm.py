"""Model-based RAQ: smaller codebooks by DKM, larger ones by IKM; neither is trained with pictures.

DKM (Cho et al., arXiv 2108.12659) is k-means with soft assignments, which gradients pass through.
IKM (the paper's inverse of it) looks for K̃ codewords whose clustering to K gives the codewords
there were, by the maximum mean discrepancy of the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

TEMPERATURE = 0.01
MOST_STEPS = 200
SETTLED = 1e-8
"""Mean movement of a coordinate below which DKM ends."""

KERNEL = (0.2, 0.5, 0.9, 1.3)
"""Widths a of the kernels a² / (a² + distance²) that the discrepancy adds up."""


@dataclass(frozen=True)
class Clustered:
    """A codebook, and how the objective went from step to step."""

    codebook: Tensor
    curve: list[float]


def random_picks(points: Tensor, count: int, random: torch.Generator) -> Tensor:
    """Different points [count, D] of [M, D]."""
    return points[torch.randperm(len(points), generator=random)[:count]]


def plus_plus(points: Tensor, count: int, random: torch.Generator) -> Tensor:
    """k-means++ (Arthur and Vassilvitskii, 2007): each next point with a probability
    proportional to its squared distance from those that there are.
    """
    chosen = [int(torch.randint(len(points), (), generator=random))]
    nearest = (points - points[chosen[0]]).pow(2).sum(1)
    while len(chosen) < count:
        # Where only copies are left, any of them.
        weights = nearest if float(nearest.sum()) > 0 else torch.ones_like(nearest)
        pick = int(torch.multinomial(weights, 1, generator=random))
        chosen.append(pick)
        nearest = torch.minimum(nearest, (points - points[pick]).pow(2).sum(1))
    return points[chosen]


def dkm_step(points: Tensor, centres: Tensor) -> Tensor:
    """Centres after one step: means of all points, weighted by a softmax over distances."""
    distances = torch.cdist(points, centres)
    weights = torch.softmax(-distances / TEMPERATURE, 1)
    return (weights.T @ points) / weights.sum(0).clamp_min(1e-12)[:, None]


def dkm(points: Tensor, start: Tensor, most: int = MOST_STEPS) -> Clustered:
    """Centres [K̃, D] of `points` [K, D]; the curve is the mean squared distance to the nearest."""
    centres, curve = start, []
    for _ in range(most):
        curve.append(float(torch.cdist(points, centres).min(1).values.pow(2).mean()))
        moved = dkm_step(points, centres)
        change = float((moved - centres).abs().mean())
        centres = moved
        if change < SETTLED:
            break
    return Clustered(centres, curve)


def discrepancy(one: Tensor, other: Tensor) -> Tensor:
    """Squared maximum mean discrepancy of two sets of vectors."""

    def similarity(a: Tensor, b: Tensor) -> Tensor:
        squares = torch.cdist(a, b).pow(2)
        return torch.stack([(w * w / (w * w + squares)).mean() for w in KERNEL]).sum()

    return similarity(one, one) + similarity(other, other) - 2 * similarity(one, other)


def ikm(
    points: Tensor,
    start: Tensor,
    steps: int,
    random: torch.Generator,
    inner: int = 5,
    rate: float = 5e-3,
    decay: float = 0.01,
) -> Clustered:
    """Codewords [K̃, D], K̃ > K, whose clusters are like `points` [K, D]; the best of all steps.

    `inner` steps of DKM are passed through by gradients, from K of the codewords; the authors' code
    takes up to 200 and 5000 `steps`.
    """
    codewords = start.clone().requires_grad_()
    optimiser = torch.optim.AdamW([codewords], lr=rate, weight_decay=decay)
    seeds = torch.randperm(len(start), generator=random)[: len(points)]
    best, kept, curve = float("inf"), start, []
    for _ in range(steps):
        centres = codewords[seeds]
        for _ in range(inner):
            centres = dkm_step(codewords, centres)
        loss = discrepancy(points, centres)
        curve.append(float(loss.detach()))
        if curve[-1] < best:
            best, kept = curve[-1], codewords.detach().clone()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return Clustered(kept, curve)


Start = Callable[[Tensor, Tensor, int, torch.Generator], Tensor]
"""Codewords [K, D], how often each is used [K], K̃, randomness: where a clustering begins."""


def _gaussian(points: Tensor, count: int, random: torch.Generator) -> Tensor:
    dim = points.shape[1]
    return torch.randn(count, dim, generator=random) * dim**-0.5


def _copies(points: Tensor, use: Tensor, count: int, random: torch.Generator) -> Tensor:
    """The trained codewords themselves, the most used ones most often, hardly moved."""
    order = use.argsort(descending=True)
    repeated = points[order[torch.arange(count) % len(points)]]
    spread = 0.05 * points.std(0)
    return repeated + spread * torch.randn(repeated.shape, generator=random)


REDUCING: dict[str, Start] = {
    "random": lambda points, use, count, random: random_picks(points, count, random),
    "plus-plus": lambda points, use, count, random: plus_plus(points, count, random),
    "trained": lambda points, use, count, random: points[use.argsort(descending=True)[:count]],
}
EXPANDING: dict[str, Start] = {
    "random": lambda points, use, count, random: _gaussian(points, count, random),
    "plus-plus": lambda points, use, count, random: plus_plus(
        _gaussian(points, 4 * count, random), count, random
    ),
    "trained": _copies,
}
