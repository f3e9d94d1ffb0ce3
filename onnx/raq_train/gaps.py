"""How far adapted codebooks are behind tables learned directly, prefix by prefix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .codebook import Vectors, gap_db
from .config import CodebookConfig
from .fit_codebooks import load_vectors, save_table
from .table import LLOYD_STEPS, fit, ladder

MOST = 120_000
"""Vectors that a nested table is learned from here."""


def nested_table(path: Path, vectors: Vectors, shape: CodebookConfig, seed: int) -> Tensor:
    """The nested table [K_max, dims] in `path`, or one learned from the vectors, put there.

    Every prefix of it is a codebook that was learned as such.
    """
    if path.exists():
        return torch.from_numpy(np.load(path)).float()
    torch.manual_seed(seed)
    order = torch.randperm(len(vectors.rows))[:MOST]
    rows, importance = vectors.rows[order], vectors.importance[order]
    table, _ = fit(rows, importance, shape.max_codewords, ladder(shape.max_codewords), LLOYD_STEPS)
    save_table(path, table)
    return table


def measure(
    shapes: tuple[CodebookConfig, ...], codebooks: dict[str, np.ndarray], run: Path, seed: int
) -> dict[str, dict[str, float]]:
    """Gap in dB by codewords by codebook name, on held vectors; the nested tables are kept in
    `nested/NAME.npy` of the run. Raises ValueError where vectors are missing or do not fit.
    """
    result = {}
    for shape in shapes:
        vectors = load_vectors(run / "vectors" / f"{shape.name}.npz", shape.dims)
        nested = nested_table(run / "nested" / f"{shape.name}.npy", vectors, shape, seed)
        codebook = torch.from_numpy(codebooks[shape.name].astype(np.float32))
        gap = gap_db(vectors, codebook, nested)
        result[shape.name] = {str(size): round(value, 3) for size, value in gap.items()}
        print(f"{shape.name}: dB behind a learned nested table {result[shape.name]}", flush=True)
    return result
