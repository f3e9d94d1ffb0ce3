"""Learn tables of codewords from vectors: `python -m raq_train.learn_tables --run RUN --name NAME`.

Reads `vectors/NAME.npz` and, where there is one, the table so far, `tables/NAME.npy`; writes the
better one there. Rounds of Lloyd's algorithm for the largest size alone: in the loop a table whose
rows are merely sorted by use was better, by 0.2 to 0.8 dB, than a nested one fitted to the same
vectors; only its first rows are made for small codebooks. Each step goes only a part of the way,
and the table that is best on the held vectors is kept.

A codebook of photos gets a nested table, learned anew. The table of a `white` codebook is not
learned: directions of few components and one length.
"""

from __future__ import annotations

import argparse
import heapq
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import config as configuration
from .adapter import CODEWORD_LIMIT
from .codebook import Vectors
from .config import CodebookConfig
from .fit_codebooks import load_vectors, save_table
from .places import assign
from .table import CHUNK, LLOYD_STEPS, distortions, fit, ladder, nearest

WHITE_LENGTH = 44.0
"""Length of white codewords in grid units; shifted by 4 their components still are not zero."""

WHITE_COMPONENTS = 4

NESTED = 32
"""Rows of a flat table that are replaced by those of a nested one."""

NESTED_FROM = 30_000
"""Vectors that these are learned from."""

ORDERED = 512
"""Rows of a flat table up to which they stand in the order in which prefixes gain most."""

ORDERED_BY = 12_000
"""Vectors that tell this order."""

DAMPING = 0.8
"""The share of the way to the mean that a codeword goes in a step."""

ROUNDS = 5


def white_vectors(count: int, dims: int, codewords: int, seed: int) -> Tensor:
    """Gaussian vectors [count, dims] for which codewords of `WHITE_LENGTH` have the best length."""
    cosine = math.sqrt(1 - 2 ** (-2 * math.log2(codewords) / dims))
    random = torch.Generator().manual_seed(seed)
    return torch.randn(count, dims, generator=random) * (WHITE_LENGTH / cosine / math.sqrt(dims))


def white_table(codewords: int, dims: int, seed: int) -> Tensor:
    """Directions [codewords, dims] of `WHITE_LENGTH` with `WHITE_COMPONENTS` components each.

    Rounded to the grid in the last stages they leave less than dense ones do: latents of a still
    scene of a training clip stopped at 58.1 dB with dense directions and at 61.8 dB with these, and
    were 1 dB better after two seconds.
    """
    random = torch.Generator().manual_seed(seed)
    count = min(WHITE_COMPONENTS, dims)
    places = torch.rand(codewords, dims, generator=random).argsort(1)[:, :count]
    size = (1 + 0.25 * torch.randn(codewords, count, generator=random)).abs()
    sign = torch.randint(0, 2, (codewords, count), generator=random) * 2 - 1
    table = torch.zeros(codewords, dims).scatter_(1, places, size * sign)
    return torch.nn.functional.normalize(table, dim=1) * WHITE_LENGTH


def step(rows: Tensor, importance: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """One damped Lloyd step of a flat table [K, D]; returns it and how much each row is used [K].

    A row that nothing is near moves beside one that much is near.
    """
    count, sums = torch.zeros(len(table)), torch.zeros_like(table)
    for part, share in zip(rows.split(CHUNK), importance.split(CHUNK), strict=True):
        index = nearest(part, table, [len(table)])[0][0]
        count.index_add_(0, index, share)
        sums.index_add_(0, index, part * share[:, None])
    used = count > 0
    mean = sums / count.clamp_min(1e-9)[:, None]
    moved = torch.where(used[:, None], table + DAMPING * (mean - table), table)
    dead = (~used).nonzero()[:, 0]
    crowded = moved[count.argsort(descending=True)[: len(dead)]]
    moved[dead] = crowded * (1 + 0.05 * torch.randn_like(crowded))
    return moved, count


def by_use(rows: Tensor, importance: Tensor, table: Tensor) -> Tensor:
    """The rows of a flat table, the most used first: indices then cost fewer bits."""
    _, count = step(rows, importance, table)
    return table[count.argsort(descending=True, stable=True)]


def with_nested(rows: Tensor, importance: Tensor, table: Tensor) -> Tensor:
    """The table with the first `NESTED` rows learned as codebooks of every size up to that, in the
    place of those rows that are nearest to them.

    The rows of a large codebook make poor small ones: the 16 best of 4096 are 0.4 dB behind 16 that
    were learned as such (residuals of single positions); with 32 nested rows it is 0.01 dB, and the
    4096 lose as much.
    """
    count = min(NESTED, len(table) // 2)
    part = torch.randperm(len(rows))[:NESTED_FROM]
    nested, _ = fit(rows[part], importance[part], count, ladder(count), LLOYD_STEPS)
    left = torch.ones(len(table), dtype=torch.bool)
    left[assign(torch.cdist(nested, table))] = False
    return torch.cat([nested, table[left]])


def order_for_prefixes(rows: Tensor, importance: Tensor, table: Tensor, first: int) -> Tensor:
    """The same rows: the first `first` stay, up to `ORDERED` each next one is that which lowers the
    distortion most after those before it, and the others stay as they are.

    Sorting by use leaves prefixes 0.4 dB behind tables that were learned for them; this order of
    the same rows 0.16 dB at 16 of 1024, 0.09 and less from 32 on (residuals of blocks of photos).
    """
    order = list(range(first))
    distances = torch.cdist(table, rows).pow(2)
    best = torch.cat([rows.pow(2).sum(1)[None], distances[:first]]).amin(0)

    def gain(row: int) -> float:
        return float((best - distances[row]).clamp_min_(0) @ importance)

    # A row's gain only shrinks as others are chosen: old gains are bounds, few are computed anew.
    bounds = [(-gain(row), row) for row in range(first, len(table))]
    heapq.heapify(bounds)
    while len(order) < min(ORDERED, len(table)):
        row = bounds[0][1]
        now = -gain(row)
        if len(bounds) == 1 or now <= min(bounds[1:3])[0]:
            heapq.heappop(bounds)
            order.append(row)
            best = torch.minimum(best, distances[row])
        else:
            heapq.heapreplace(bounds, (now, row))
    left = torch.ones(len(table), dtype=torch.bool)
    left[order] = False
    return torch.cat([table[order], table[left]])


def for_prefixes(rows: Tensor, importance: Tensor, table: Tensor) -> Tensor:
    """A flat table made such that its prefixes are good codebooks, too."""
    table = with_nested(rows, importance, table)
    part = slice(0, ORDERED_BY)
    return order_for_prefixes(rows[part], importance[part], table, min(NESTED, len(table) // 2))


def refine(vectors: Vectors, table: Tensor, rounds: int) -> tuple[Tensor, list[float]]:
    """Damped Lloyd steps from `table`; returns the best on held vectors and every distortion."""
    share = vectors.held_importance / vectors.held_importance.sum()

    def held(table: Tensor) -> float:
        return distortions(vectors.held, table, [len(table)], share)[0]

    best, values = table, [held(table)]
    for _ in range(rounds):
        table, _ = step(vectors.rows, vectors.importance, table)
        values.append(held(table))
        if values[-1] == min(values):
            best = table
    return by_use(vectors.rows, vectors.importance, best), values


def learn(shape: CodebookConfig, run: Path, rounds: int, seed: int) -> list[float]:
    """Learn or improve the table of a codebook of the run; returns held distortions by round.

    Raises ValueError where the vectors do not fit.
    """
    torch.manual_seed(seed)
    path = run / "tables" / f"{shape.name}.npy"
    vectors = load_vectors(run / "vectors" / f"{shape.name}.npz", shape.dims)
    if shape.source == "white":
        table = white_table(shape.max_codewords, shape.dims, seed)
        values = distortions(vectors.held, table, [shape.max_codewords])
    elif shape.source == "photos":
        order = torch.randperm(len(vectors.rows))
        rows, importance = vectors.rows[order], vectors.importance[order]
        levels = ladder(shape.max_codewords)
        table, _ = fit(rows, importance, shape.max_codewords, levels, LLOYD_STEPS)
        values = distortions(vectors.held, table, [shape.max_codewords])
    else:
        if path.exists():
            table = torch.from_numpy(np.load(path)).float()
        else:
            order = torch.randperm(len(vectors.rows))
            rows, importance = vectors.rows[order], vectors.importance[order]
            table, _ = fit(rows, importance, shape.max_codewords, [shape.max_codewords], 0)
        table, values = refine(vectors, table, rounds)
    if shape.source != "photos":
        table = for_prefixes(vectors.rows, vectors.importance, table)
    save_table(path, table.round().clamp(-CODEWORD_LIMIT, CODEWORD_LIMIT))
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder with vectors/NAME.npz")
    parser.add_argument("--name", required=True, help="codebook of the configuration")
    parser.add_argument("--config", type=Path, help="by default RUN/config.toml")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="steps over all vectors")
    options = parser.parse_args()
    try:
        config = configuration.load(options.config or options.run / "config.toml")
        if config.train.threads:
            torch.set_num_threads(config.train.threads)
        shape = config.codebook(options.name)
        values = learn(shape, options.run, options.rounds, config.train.seed)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    text = ", ".join(f"{10 * math.log10(value / values[0]):.2f}" for value in values)
    print(f"{options.name}: held distortion in dB of the first table's: {text}")


if __name__ == "__main__":
    main()
