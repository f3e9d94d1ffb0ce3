"""First tables, for the first sequences: `python -m raq_train.start_tables --config C --run RUN`.

Learned from photos one after the other, each from what the ones before it leave. Writes
`tables/NAME.npy` for each codebook of the run that has none yet.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from . import config as configuration
from .adapter import CODEWORD_LIMIT
from .blocks import from_vectors, to_vectors
from .config import Config
from .data import data_root
from .export import load_networks
from .fit_codebooks import save_table
from .learn_tables import white_table
from .model import LATENT_SCALE
from .table import CHUNK, fit, nearest
from .train import load_pictures, training_crops

LATENTS = 450_000
"""Latents of photos to learn from."""

STEPS = 4


def quantise(vectors: Tensor, table: Tensor) -> Tensor:
    """The nearest rows of `table` [K, dims] to `vectors` [M, dims]."""
    parts = [table[nearest(part, table, [len(table)])[0][0]] for part in vectors.split(CHUNK)]
    return torch.cat(parts)


@torch.no_grad()
def learn_chain(config: Config, run: Path, latents: Tensor) -> None:
    """Tables for latents [N, D, h, w] in grid units; a codebook's first stage says its scale."""
    rest = latents.clone()
    shape_of = (rest.shape[0], *rest.shape[2:])
    for shape in config.codebooks:
        path = run / "tables" / f"{shape.name}.npy"
        if path.exists():
            continue
        if shape.source == "white":
            table = white_table(shape.max_codewords, shape.dims, config.train.seed)
            save_table(path, table.round())
            continue
        scale = 2 ** min(s.shift for s in config.stages if s.codebook == shape.name)
        vectors = to_vectors(rest, shape.cover, shape.lead) * scale
        rows = vectors[torch.randperm(len(vectors))[: max(20_000, 40 * shape.max_codewords)]]
        even, size = torch.ones(len(rows)), shape.max_codewords
        table = fit(rows, even, size, [size], STEPS)[0]
        table = table.round().clamp(-CODEWORD_LIMIT, CODEWORD_LIMIT)
        before = rest.pow(2).mean().item()
        coded = from_vectors(quantise(vectors, table) / scale, shape.cover, shape_of)
        rest[:, : shape.lead] -= coded
        print(f"{shape.name}: mean square {before:.1f} before, {rest.pow(2).mean():.1f} after")
        save_table(path, table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--config", type=Path, help="by default RUN/config.toml")
    parser.add_argument("--photos", type=Path, default=data_root() / "photos")
    parser.add_argument("--latents", type=int, default=LATENTS)
    options = parser.parse_args()
    try:
        config = configuration.load(options.config or options.run / "config.toml")
        if config.train.threads:
            torch.set_num_threads(config.train.threads)
        torch.manual_seed(config.train.seed)
        pictures, _ = load_pictures(config, options.photos)
        model = load_networks(config, options.run)
        crops = training_crops(config, pictures, config.train.seed)
        found, count = [], 0
        with torch.no_grad():
            while count < options.latents:
                found.append((model.encode(*crops.next()) * LATENT_SCALE).round())
                count += found[-1][:, 0].numel()
        learn_chain(config, options.run, torch.cat(found))
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
