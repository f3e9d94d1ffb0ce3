"""Export a run: `python -m raq_train.paper.export --config C --out RUNS --name RUN --model DIR`.

For RAQ runs whose network is `planes`. The model has one codebook, used in stages of ever smaller
scale, and flat tables: it runs in raq-send and raq-recv, and is a study rather than a product.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from .. import tables
from ..adapter import CODEWORD_LIMIT
from ..config import MAX_SHIFT, CodebookConfig, Config, StageConfig, TrainConfig
from ..export import write_model
from ..model import LATENT_SCALE
from . import settings
from .arms import Raq
from .generator_graph import build
from .measure import restore
from .planes import CHROMA_WEIGHT, SCALE, Planes
from .settings import Experiment, RunSettings
from .train import TrainingError, arguments, explained

CODEBOOK = "position"


def export(experiment: Experiment, run: RunSettings, seed: int, runs: Path, out: Path) -> dict:
    """Write the model folder of a run at its end; returns the manifest.

    Raises TrainingError where the run cannot be exported.
    """
    network, _ = restore(experiment, run, seed, runs)
    arm, planes = network.arm, network.autoencoder
    if not isinstance(arm, Raq) or not isinstance(planes, Planes):
        raise TrainingError(
            f"{run.name} is not of arm raq with [network] kind 'planes'; train one to export it"
        )
    units = SCALE * LATENT_SCALE
    base = (arm.base.table * units).round().clamp(-CODEWORD_LIMIT, CODEWORD_LIMIT)
    with torch.no_grad():
        expected = arm.generator(base / units, run.largest) * units
    shape = CodebookConfig(CODEBOOK, base_codewords=run.codewords, max_codewords=run.largest)
    config = Config(
        name=f"{experiment.name}-{run.name}",
        model=planes.config,
        codebooks=(shape,),
        stages=tuple(StageConfig(CODEBOOK, shift) for shift in range(MAX_SHIFT + 1)),
        train=TrainConfig(chroma_weight=CHROMA_WEIGHT),
    )
    graph = build(arm.generator, CODEBOOK, run.codewords, run.largest, units)
    bases = {CODEBOOK: base.numpy().astype("<i2")}
    made = write_model(config, planes.whole, graph, bases, tables.flat(config), out)
    manifest, codebooks = made
    miss = np.abs(codebooks[CODEBOOK] - expected.clamp(-CODEWORD_LIMIT, CODEWORD_LIMIT).numpy())
    # Half a unit of rounding, and what floats lose on the way.
    if miss.max() > 2:
        raise RuntimeError(f"the exported generator is off by {miss.max():.1f} grid units")
    return manifest


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--name", required=True, help="of the run")
    parser.add_argument("--seed", type=int, help="one of its seeds, by default the first")
    parser.add_argument("--model", type=Path, required=True, help="model folder to write")
    options = parser.parse_args()
    try:
        experiment = settings.load(options.config)
        seed = experiment.train.seeds[0] if options.seed is None else options.seed
        run = experiment.run(options.name)
        manifest = export(experiment, run, seed, options.out, options.model)
    except Exception as error:
        text = explained(error)
        if text is None:
            raise
        sys.exit(f"error: {text}")
    print(f"{options.model}: codebook {manifest['codebook_digest']}")


if __name__ == "__main__":
    main()
