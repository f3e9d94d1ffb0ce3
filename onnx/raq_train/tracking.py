"""How well the distance of latents, which the sender minimises, tracks the error of pixels."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from .coded import Coded
from .model import BLOCK, UNQUANTISED_LEVEL, Autoencoder

TILE = 4 * BLOCK
"""Pixels on a side of a tile."""

LEAST = 0.5
"""Mean squared distance a pixel, in pixel units, below which a tile is as good as finished."""


@torch.no_grad()
def tile_errors(model: Autoencoder, one: Coded, frame: int) -> np.ndarray:
    """Per whole tile [3, tiles] mean squares per pixel: the distance of latents, the error of
    decoded luma, and its difference from what the networks make of latents not quantised.
    """
    luma, latents = one.target(model, frame)
    coded, levels = one.latents(frame, slice(None), slice(None))
    distance = (latents - coded).pow(2).sum(1, keepdim=True) / BLOCK**2
    decoded, _ = model.decode(coded, levels)
    best, _ = model.decode(latents, torch.full_like(levels, UNQUANTISED_LEVEL))
    rows, columns = (side // TILE for side in one.luma.shape[1:])
    parts = [F.avg_pool2d(distance, TILE // BLOCK)]
    parts += [F.avg_pool2d((decoded - other).pow(2), TILE) for other in (luma, best)]
    return np.stack([part[0, 0, :rows, :columns].flatten().numpy() for part in parts])


def _fit(distance: np.ndarray, error: np.ndarray) -> dict:
    x, y = np.log(distance), np.log(error + 1e-3)
    return {
        "log_correlation": round(float(np.corrcoef(x, y)[0, 1]), 4),
        "log_slope": round(float(np.cov(x, y)[0, 1] / x.var(ddof=1)), 4),
        "error_per_distance": round(float(error.sum() / distance.sum()), 4),
    }


def measure(model: Autoencoder, held: list[Coded], every: int = 6) -> dict:
    """Over all tiles of the held clips whose latents are off by `LEAST` or more: correlation and
    slope of the logarithms of error over distance, and the ratio of their sums. `error` is that of
    decoded luma, `added` its difference from the picture not quantised. Chroma is part of the
    distance alone.
    """
    found = [
        tile_errors(model, one, frame) for one in held for frame in range(5, len(one.sums), every)
    ]
    distance, error, added = np.concatenate(found, 1)
    some = distance >= LEAST
    return {
        "tiles": int(some.sum()),
        "error": _fit(distance[some], error[some]),
        "added": _fit(distance[some], added[some]),
    }
