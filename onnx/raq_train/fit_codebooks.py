"""Train the adapter of one codebook: `python -m raq_train.fit_codebooks --run RUN --name position`.

Reads below RUN: `config.toml` (or `--config`); `vectors/NAME.npz` with `vectors` f32 [M, dims] in
grid units, `importance` f32 [M], and `held_vectors`, `held_importance` likewise; `tables/NAME.npy`,
the learned table f32 [K_max, dims], which is learned here, nested, from the vectors where it is
missing; and `tables.json`, if there is one, for how often its rows are chosen. Writes
`adapters/NAME.pt`, from which an interrupted run goes on, and at the end `adapters/NAME.json`: how
far the integer codebook is behind that table on the held vectors, in dB. An adapter that
`raq_train.restore` put there goes over to the table, too.

Different codebooks may be trained by separate processes at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import config as configuration
from . import tables
from .checkpoint import Checkpoint
from .codebook import (
    Vectors,
    continue_adapter,
    gap_db,
    restore_adapter,
    start_adapter,
    train_adapter,
)
from .config import CodebookConfig, Config
from .export import load_tables
from .table import LLOYD_STEPS, fit, ladder


def load_vectors(path: Path, dims: int) -> Vectors:
    """The vectors of a codebook. Raises ValueError where the file is not what it should be."""
    parts = []
    with np.load(path) as file:
        for name in ("vectors", "held_vectors"):
            weight = name.replace("vectors", "importance")
            missing = [key for key in (name, weight) if key not in file]
            if missing:
                raise ValueError(f"{path} has no {missing}; collect the vectors again")
            rows, importance = (torch.from_numpy(file[key]).float() for key in (name, weight))
            if rows.ndim != 2 or rows.shape[1] != dims or importance.shape != rows.shape[:1]:
                raise ValueError(
                    f"{path}: {name} {list(rows.shape)} with {weight} {list(importance.shape)} "
                    f"are not vectors of {dims} numbers; collect them for this configuration"
                )
            if not (len(rows) and rows.isfinite().all() and (importance > 0).all()):
                raise ValueError(f"{path}: {name} must be finite and {weight} positive")
            parts += [rows, importance / importance.mean()]
    return Vectors(*parts)


def learned_table(path: Path, vectors: Vectors, shape: CodebookConfig, seed: int) -> Tensor:
    """The nested table [K_max, dims] in `path`, or one learned from the vectors, put there."""
    if path.exists():
        table = torch.from_numpy(np.load(path)).float()
        if list(table.shape) != [shape.max_codewords, shape.dims] or not table.isfinite().all():
            raise ValueError(
                f"{path} is {list(table.shape)}, not finite numbers "
                f"[{shape.max_codewords}, {shape.dims}]; remove it to have it learned again"
            )
        return table
    torch.manual_seed(seed)
    order = torch.randperm(len(vectors.rows))
    rows, importance = vectors.rows[order], vectors.importance[order]
    levels = ladder(shape.max_codewords)
    table, _ = fit(rows, importance, shape.max_codewords, levels, LLOYD_STEPS)
    save_table(path, table)
    return table


def save_table(path: Path, table: Tensor) -> None:
    """Write a table [K_max, dims] as f32, in place of one that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".tmp.npy")
    np.save(partial, table.numpy().astype(np.float32))
    partial.replace(path)


def row_weights(table: Tensor, use: Tensor) -> Tensor:
    """How much each row of a table matters to an adapter that imitates it [K_max].

    By how often the codec chose it (`use` [K_max], its sum is one) and by its energy, so that the
    sum of weight times squared miss is the mean relative error of the codewords that are used.
    Weighted by the distortion of fixed vectors instead, the small codewords and the upper octaves
    count for nothing and the codec loses 0.6 dB, though the gap on those vectors looks harmless.
    """
    energy = table.pow(2).sum(1)
    weights = use / (energy + 0.02 * energy.mean())
    return weights / (weights * energy).sum()


def fit_codebook(config: Config, run: Path, name: str, device: torch.device) -> dict[int, float]:
    """Train the adapter of codebook `name`, or go on with it; returns the gap in dB by size.

    Raises ValueError where the configuration or a file does not fit.
    """
    shape, seed = config.codebook(name), config.train.seed
    vectors = load_vectors(run / "vectors" / f"{name}.npz", shape.dims)
    checkpoint = Checkpoint(run / "adapters" / f"{name}.pt", config.train.checkpoint_seconds)
    state = checkpoint.load()
    if "table" not in state:
        table = learned_table(run / "tables" / f"{name}.npy", vectors, shape, seed)
        use = torch.tensor(tables.use_of_rows(load_tables(config, run), config, name))
        if "adapter" in state:
            adapter = continue_adapter(shape, table, state["adapter"])
        else:
            adapter = start_adapter(shape, table, vectors.rows)
        state = {"table": table, "weights": row_weights(table, use)}
        state["adapter"] = adapter.state_dict()
        checkpoint.save(state, now=True)
    adapter = restore_adapter(shape, state["adapter"]).to(device)
    state = train_adapter(config.adapter, adapter, vectors, checkpoint, state, seed)
    with torch.no_grad():
        codebook = adapter(integer=True).cpu()
    gap = {
        size: round(value, 3) for size, value in gap_db(vectors, codebook, state["table"]).items()
    }
    checkpoint.save(state | {"gap_db": gap}, now=True)
    text = json.dumps({"name": name, "gap_db": gap}, indent=2) + "\n"
    checkpoint.path.with_suffix(".json").write_text(text, encoding="utf-8")
    return gap


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder with vectors/NAME.npz")
    parser.add_argument("--name", required=True, help="codebook of the configuration")
    parser.add_argument("--config", type=Path, help="by default RUN/config.toml")
    parser.add_argument(
        "--steps",
        type=int,
        nargs=3,
        metavar=("DISTIL", "FLOAT", "INTEGER"),
        help="optimiser steps of the three phases, instead of the configuration's",
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    try:
        config = configuration.load(options.config or options.run / "config.toml")
        if options.steps:
            keys = ("distil_steps", "float_steps", "integer_steps")
            steps = dict(zip(keys, options.steps, strict=True))
            config = dataclasses.replace(
                config, adapter=dataclasses.replace(config.adapter, **steps)
            )
        if config.train.threads:
            torch.set_num_threads(config.train.threads)
        gap = fit_codebook(config, options.run, options.name, torch.device(options.device))
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(f"{options.name}: dB behind the learned table by codewords: {gap}")


if __name__ == "__main__":
    main()
