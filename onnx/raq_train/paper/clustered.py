"""Codebooks made from a trained one without training: what RAQ has to beat."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..table import LLOYD_STEPS, fit
from .dkm import EXPANDING, REDUCING, Clustered, Start, dkm, ikm

IKM_STEPS = 300

Cluster = Callable[[Tensor, Tensor, torch.Generator], Clustered]
"""A trained codebook, where to begin, and randomness."""


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


def _by_lloyd(trained: Trained, size: int) -> Made:
    torch.manual_seed(size)
    return Made("lloyd", 0, size, _lloyd(trained, size), [])


def _dkm(points: Tensor, first: Tensor, _random: torch.Generator) -> Clustered:
    return dkm(points, first)


def _ikm(points: Tensor, first: Tensor, random: torch.Generator) -> Clustered:
    return ikm(points, first, IKM_STEPS, random)


def _clustered(
    name: str, cluster: Cluster, starts: dict[str, Start], trained: Trained, size: int, seeds: int
) -> Iterator[Made]:
    """From every start, with every seed."""
    for start, begin in starts.items():
        for seed in range(seeds):
            random = torch.Generator().manual_seed(1000 * seed + size)
            first = begin(trained.codebook, trained.use, size, random)
            made = cluster(trained.codebook, first, random)
            yield Made(f"{name}-{start}", seed, size, made.codebook, made.curve)


def reduced(trained: Trained, sizes: list[int], seeds: int) -> Iterator[Made]:
    """Smaller codebooks in every way there is."""
    for size in sizes:
        for name, make in PLAIN.items():
            torch.manual_seed(size)
            yield Made(name, 0, size, make(trained, size), [])
        yield _by_lloyd(trained, size)
        yield from _clustered("dkm", _dkm, REDUCING, trained, size, seeds)


def expanded(trained: Trained, sizes: list[int], seeds: int) -> Iterator[Made]:
    """Larger codebooks likewise."""
    for size in sizes:
        yield _by_lloyd(trained, size)
        yield from _clustered("ikm", _ikm, EXPANDING, trained, size, seeds)
