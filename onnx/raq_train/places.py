"""Which step of an adapter emits which row of a table.

A step builds on the codeword of its parent, so rows go where that is close; the adapter's `order`
puts them back in the table's order.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .adapter import forced_rows


def assign(cost: Tensor) -> Tensor:
    """A column of its own for each row of a cost [R, C], R <= C: of all pairs that are still free
    the cheapest first.
    """
    cost, choice = cost.clone(), torch.full((len(cost),), -1)
    while (choice < 0).any():
        free = (choice < 0).nonzero()[:, 0]
        least, column = cost[free].min(1)
        for n in least.argsort().tolist():
            if cost[free[n], column[n]] < math.inf:
                choice[free[n]] = column[n]
                cost[:, column[n]] = math.inf
    return choice


def by_parents(table: Tensor, base: int, chains: int) -> Tensor:
    """The row of a table [K, D] for each place [K], such that it is close to the place's parent's.

    The parent of place i is (i without its leading bit) ^ 1, see `adapter`. Places that are fed an
    original codeword take what is left. Rows stay in their octave.
    """
    places, count = torch.arange(len(table)), len(table)
    forced = forced_rows(base, count, chains)
    low = chains
    while low < count:
        rows = places[low : 2 * low]
        cost = torch.cdist(table[places[torch.arange(len(rows)) ^ 1]], table[rows])
        fed = forced[low : 2 * low].bool()
        cost[fed] = cost.max() + 1
        places[low : 2 * low] = rows[assign(cost)]
        low *= 2
    return places


def by_nearest(table: Tensor, emitted: Tensor) -> Tensor:
    """The row of a table [K, D] for each place, close to what an adapter emits there [K, D]."""
    return assign(torch.cdist(emitted, table))
