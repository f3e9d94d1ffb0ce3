"""Nested tables of codewords by Lloyd's algorithm: every prefix is a codebook of its own.

A nested table is what the adapter imitates and what it is measured against; with a single level
it is plain k-means.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from tqdm import tqdm

CHUNK = 8192
"""Latents per pass of the scan; bounds the score matrix to CHUNK x K floats."""

LLOYD_STEPS = 20
"""Iterations after which a learned table hardly moves."""


def ladder(codewords: int) -> list[int]:
    """Prefix lengths 1, 2, 3, 4, 6, 8, 12 ... up to `codewords`: half octaves."""
    levels = {codewords, 1}
    size = 2
    while size < codewords:
        levels |= {size, min(codewords, size + size // 2)}
        size *= 2
    return sorted(levels)


def nearest(latents: Tensor, table: Tensor, levels: list[int]) -> tuple[Tensor, Tensor]:
    """Nearest row among the first L rows for each L of `levels`, in one scan.

    `latents` [M, D], `table` [K, D], `levels` ascending. Returns the indices [len(levels), M] and
    the squared distances of the same shape.
    """
    scores = latents @ table.T - 0.5 * table.pow(2).sum(1)
    best = torch.full((len(latents),), -math.inf, device=latents.device)
    where = torch.zeros(len(latents), dtype=torch.long, device=latents.device)
    indices, values = [], []
    low = 0
    for level in levels:
        value, index = scores[:, low:level].max(1)
        better = value > best
        best, where = torch.where(better, value, best), torch.where(better, index + low, where)
        indices.append(where)
        values.append(best)
        low = level
    energy = latents.pow(2).sum(1)
    return torch.stack(indices), (energy - 2 * torch.stack(values)).clamp_min(0)


def distortions(
    latents: Tensor, table: Tensor, levels: list[int], importance: Tensor | None = None
) -> list[float]:
    """Mean squared distance of `latents` to their nearest codeword, for each prefix length.

    With `importance` [M], which sums to one, a weighted mean.
    """
    if importance is None:
        importance = torch.full((len(latents),), 1 / len(latents), device=latents.device)
    total = torch.zeros(len(levels), dtype=torch.float64)
    for chunk, share in zip(latents.split(CHUNK), importance.split(CHUNK), strict=True):
        total += (nearest(chunk, table, levels)[1].double() @ share.double()).cpu()
    return total.tolist()


def lloyd_step(
    latents: Tensor, importance: Tensor, table: Tensor, levels: list[int]
) -> tuple[Tensor, Tensor]:
    """One Lloyd iteration for all levels at once; latents count by `importance` [M].

    A codeword moves to the mean of the latents assigned to it on every level it belongs to, each
    level weighted by the inverse of its distortion: the minimiser of the sum of log distortions
    for these assignments. Returns the new table and what each row weighs [K]: to first order, a
    row that misses its place by d raises the mean log distortion of the levels by weight * d^2.
    """
    size = len(table)
    counts = torch.zeros(len(levels), size, device=table.device)
    sums = torch.zeros(len(levels), size, table.shape[1], device=table.device)
    total = torch.zeros(len(levels), device=table.device)
    for chunk, share in zip(latents.split(CHUNK), importance.split(CHUNK), strict=True):
        indices, distances = nearest(chunk, table, levels)
        total += distances @ share
        weighted = chunk * share[:, None]
        for n in range(len(levels)):
            counts[n] += torch.bincount(indices[n], share, minlength=size)
            sums[n].index_add_(0, indices[n], weighted)
    weight = (1 / total.clamp_min(1e-9))[:, None]
    mass = (weight * counts).sum(0)
    moved = (weight[:, :, None] * sums).sum(0) / mass.clamp_min(1e-30)[:, None]
    dead = counts[-1] == 0
    table = torch.where((mass > 0)[:, None], moved, table)
    if dead.any():  # a codeword nobody uses moves beside one that many use
        crowded = counts[-1].argsort(descending=True)[: int(dead.sum())]
        table[dead] = table[crowded] * (1 + 0.02 * torch.randn_like(table[crowded]))
    return table, mass / len(levels)


def fit(
    latents: Tensor, importance: Tensor, codewords: int, levels: list[int], steps: int
) -> tuple[Tensor, Tensor]:
    """Learn a table [codewords, D]: split and refine up to its size, then `steps` iterations.

    `latents` [M, D] in random order, `importance` [M] positive. Returns the table and the weights
    of `lloyd_step`.
    """
    table = (latents * importance[:, None]).sum(0, keepdim=True) / importance.sum()
    spread = latents.std(0)
    size = 1
    while size < codewords:
        grown = min(codewords, 2 * size)
        noise = 0.1 * spread * torch.randn_like(table[: grown - size])
        table = torch.cat([table, table[: grown - size] + noise])
        size = grown
        part = max(20_000, 64 * size)
        known = [level for level in levels if level < size] + [size]
        for _ in range(6):
            table, _ = lloyd_step(latents[:part], importance[:part], table, known)
    weights = torch.ones(codewords)
    for _ in tqdm(range(steps), f"table {codewords}", mininterval=5):
        table, weights = lloyd_step(latents, importance, table, levels)
    return table, weights
