"""Gather what tables are learned from: `python -m raq_train.vectors --config C --run RUN`.

Writes `vectors/NAME.npz` for each codebook, or the one of `--name`, as `raq_train.fit_codebooks`
reads it. By the codebook's `source`: the residuals that `raq_train.sequences` collected, those of
held clips apart; blocks of photos, as the encoder gives them; white noise. A residual counts by the
inverse of its energy, so that all rates pull alike.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import clips
from . import config as configuration
from .blocks import to_vectors
from .config import CodebookConfig, Config
from .data import data_root
from .export import load_networks
from .learn_tables import white_vectors
from .model import LATENT_SCALE
from .train import load_pictures, training_crops

MOST = 400_000
"""Vectors that are kept, drawn at random."""

HELD = 8000
RESIDUAL_FLOOR = 4.0
"""Energy in grid units squared below which residuals no longer gain in importance."""

Part = tuple[np.ndarray, np.ndarray]
"""Vectors f32 [M, dims] and their importance f32 [M]."""


def _read(run: Path, name: str, names: list[str], most: int, seed: int) -> Part:
    files = [run / "sequences" / clip / f"{name}.vectors.npy" for clip in names]
    found = [np.load(path, mmap_mode="r") for path in files]
    total = sum(len(part) for part in found)
    if not total:
        raise ValueError(f"no residuals of {name!r} in {run / 'sequences'}: code more clips")
    random = np.random.default_rng(seed)
    share = min(1.0, most / total)
    rows = np.concatenate([part[random.random(len(part)) < share] for part in found])
    weight, vectors = rows[:, 0], np.ascontiguousarray(rows[:, 1:])
    energy = (vectors**2).mean(1) * weight
    return vectors, weight / (energy + RESIDUAL_FLOOR)


def residuals(config: Config, run: Path, name: str) -> tuple[Part, Part]:
    """Those of training and of held clips. Raises ValueError where there are none."""
    jobs = list(clips.jobs(config.clips, config.sequences))
    learned = [job.name for job in jobs if not job.held]
    held = [job.name for job in jobs if job.held]
    seed = config.train.seed
    return _read(run, name, learned, MOST, seed), _read(run, name, held, HELD, seed)


def _even(rows: Tensor) -> Part:
    return rows.numpy().astype(np.float32), np.ones(len(rows), np.float32)


@torch.no_grad()
def photo_blocks(
    config: Config, run: Path, shape: CodebookConfig, photos: Path
) -> tuple[Part, Part]:
    """Blocks of the latents of random crops, whole numbers of grid units."""
    pictures, check = load_pictures(config, photos)
    model, parts = load_networks(config, run), []
    each = config.train.batch * (config.train.crop // 8 // shape.cover) ** 2
    most = min(MOST, max(HELD, 100 * shape.max_codewords))
    for source, count in ((pictures, most), (check, HELD)):
        crops = training_crops(config, source, config.train.seed)
        rows = [
            to_vectors(
                (model.encode(*crops.next()) * LATENT_SCALE).round(), shape.cover, shape.lead
            )
            for _ in range(-(-count // each))
        ]
        rows = torch.cat(rows)
        parts.append(_even(rows[torch.randperm(len(rows))[:count]]))
    return parts[0], parts[1]


def white(shape: CodebookConfig, seed: int) -> tuple[Part, Part]:
    """Noise whose best codewords have the length that white ones get."""
    most = min(MOST, 200 * shape.max_codewords)
    rows = white_vectors(most + HELD, shape.dims, shape.max_codewords, seed)
    return _even(rows[HELD:]), _even(rows[:HELD])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--config", type=Path, help="by default RUN/config.toml")
    parser.add_argument("--name", help="only this codebook")
    parser.add_argument("--photos", type=Path, default=data_root() / "photos")
    options = parser.parse_args()
    try:
        config = configuration.load(options.config or options.run / "config.toml")
        if options.name:
            config.codebook(options.name)
        torch.manual_seed(config.train.seed)
        for shape in config.codebooks:
            if options.name not in (None, shape.name):
                continue
            if shape.source == "white":
                learned, held = white(shape, config.train.seed)
            elif shape.source == "photos":
                learned, held = photo_blocks(config, options.run, shape, options.photos)
            else:
                learned, held = residuals(config, options.run, shape.name)
            path = options.run / "vectors" / f"{shape.name}.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(
                path,
                vectors=learned[0],
                importance=learned[1],
                held_vectors=held[0],
                held_importance=held[1],
            )
            print(f"{path}: {len(learned[0])} vectors of {shape.dims}, {len(held[0])} held")
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
