"""Codebooks made from a trained one without training: what RAQ has to beat."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..table import LLOYD_STEPS, fit
from .dkm import EXPANDING, REDUCING, Clustered, dkm, ikm

IKM_STEPS = 300


@dataclass(frozen=True)
class Trained:
    """A trained codebook [K, D], how often training latents chose each codeword [K], and some of
    these latents [M, D] in random order.
    """

    codebook: Tensor
    use: Tensor
    latents: Tensor


@dataclass(frozen=True)
class Made:
    """A codebook of another size: the curve it belongs to, what seed it was made with, and how its
    objective went.
    """

    series: str
    seed: int
    size: int
    codebook: Tensor
    curve: list[float]


def _first(trained: Trained, size: int) -> Tensor:
    return trained.codebook[:size]


def _most_used(trained: Trained, size: int) -> Tensor:
    return trained.codebook[trained.use.argsort(descending=True)[:size]]


def _weighted(trained: Trained, size: int) -> Tensor:
    """k-means of the codewords that are used at all, each counted as often as it is used."""
    used = trained.use > 0
    points, weights = trained.codebook[used], trained.use[used]
    if len(points) <= size:
        return _most_used(trained, size)
    return fit(points, weights / weights.mean(), size, [size], LLOYD_STEPS)[0]


def _lloyd(trained: Trained, size: int) -> Tensor:
    """k-means of the latents: the best that is possible without touching the networks."""
    return fit(trained.latents, torch.ones(len(trained.latents)), size, [size], LLOYD_STEPS)[0]


PLAIN: dict[str, Callable[[Trained, int], Tensor]] = {
    "first": _first,
    "most-used": _most_used,
    "weighted-k-means": _weighted,
}


def reduced(trained: Trained, sizes: list[int], seeds: int) -> Iterator[Made]:
    """Smaller codebooks in every way there is."""
    for size in sizes:
        for name, make in PLAIN.items():
            torch.manual_seed(size)
            yield Made(name, 0, size, make(trained, size), [])
        torch.manual_seed(size)
        yield Made("lloyd", 0, size, _lloyd(trained, size), [])
        for name, start in REDUCING.items():
            for seed in range(seeds):
                random = torch.Generator().manual_seed(1000 * seed + size)
                begin = start(trained.codebook, trained.use, size, random)
                made: Clustered = dkm(trained.codebook, begin)
                yield Made(f"dkm-{name}", seed, size, made.codebook, made.curve)


def expanded(trained: Trained, sizes: list[int], seeds: int) -> Iterator[Made]:
    """Larger codebooks likewise."""
    for size in sizes:
        torch.manual_seed(size)
        yield Made("lloyd", 0, size, _lloyd(trained, size), [])
        for name, start in EXPANDING.items():
            for seed in range(seeds):
                random = torch.Generator().manual_seed(1000 * seed + size)
                begin = start(trained.codebook, trained.use, size, random)
                made = ikm(trained.codebook, begin, IKM_STEPS, random)
                yield Made(f"ikm-{name}", seed, size, made.codebook, made.curve)
