"""Measure runs: `python -m raq_train.paper.measure --config C --out RUNS --results R`.

Reads the checkpoints of the runs that have come to their end, makes smaller and larger codebooks of
those that `[measure]` names, and writes a file for each curve into the folder of results. Runs that
are not done are named and left out.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from ..checkpoint import Checkpoint
from . import clustered, images, results, settings
from .arms import Fixed, Raq
from .measures import Meter, Scales
from .network import Network
from .quantise import assign
from .settings import Experiment, RunSettings
from .train import TrainingError, arguments, explained, load_state

BATCH = 250
"""Pictures at once."""


def restore(experiment: Experiment, run: RunSettings, seed: int, out: Path) -> tuple[Network, dict]:
    """A run at its end, and its state. Raises TrainingError where it is not there."""
    checkpoint = Checkpoint(out / f"{run.name}-{seed}.pt", 0)
    state = load_state(checkpoint, experiment.identity(run) | {"seed": seed})
    steps = experiment.train.steps
    if state.get("step") != steps:
        raise TrainingError(
            f"{run.name}-{seed} has {state.get('step', 0)} of {steps} steps; train it first"
        )
    network = Network(experiment, run)
    network.load_state_dict(state["network"])
    return network.eval(), state


def batches(pictures: images.Images, most: int = 0) -> list[Tensor]:
    """All pictures, or the first `most`, f32 from 0 to 1, a batch at a time."""
    count = min(len(pictures), most or len(pictures))
    parts = torch.arange(count).split(BATCH)
    return [images.to_float(pictures.batch(part)) for part in parts]


@torch.no_grad()
def measure_codebook(
    network: Network, codebook: Tensor | None, size: int, test: list[Tensor], scales: Scales
) -> dict[str, float]:
    """One codebook, or an arm without one at K̃ = `size`, over the test set."""
    meter = Meter(scales)
    stages = network.arm.stage_sizes(size)
    for pictures in test:
        grids, rows = network.latents(pictures)
        if codebook is not None:
            indices = assign(rows, codebook)[:, None]
            chosen = codebook[indices[:, 0]]
        else:
            chosen, indices = network.arm.at(rows, size)
        miss = (rows - chosen).pow(2).sum(1)
        meter.add(network.pictures(chosen, grids), pictures, miss, indices, stages)
    return meter.figures(size)


@torch.no_grad()
def measure_run(
    experiment: Experiment,
    network: Network,
    known: list[Tensor],
    test: list[Tensor],
    scales: Scales,
) -> list[dict[str, float]]:
    """A run at every K̃ that it can take; `known` pictures were trained on."""
    wanted = tuple(sorted({*experiment.measure.sizes, *experiment.measure.unseen}))
    points = []
    for size in network.arm.sizes(wanted):
        began = time.perf_counter()
        codebook = network.arm.codebook(size)
        took = time.perf_counter() - began
        point = measure_codebook(network, codebook, size, test, scales)
        seen = measure_codebook(network, codebook, size, known, Scales())
        for key in ("psnr-rgb", "latent-mse"):
            point[f"{key}-train"] = seen[key]
        points.append(point | {"generate-ms": 1000 * took})
    return points


@torch.no_grad()
def trained_codebook(
    experiment: Experiment, network: Network, pictures: images.Images
) -> clustered.Trained:
    """The codebook of a fixed run with the training latents that chose it."""
    arm = network.arm
    if not isinstance(arm, Fixed):
        raise TrainingError("only a fixed codebook is made smaller or larger without training")
    rows = torch.cat([network.latents(batch)[1] for batch in batches(pictures, most=20_000)])
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    rows = rows[order[: experiment.measure.latents]]
    table = arm.base.table
    use = torch.bincount(assign(rows, table), minlength=len(table)).float()
    return clustered.Trained(table, use, rows)


def _remade(
    experiment: Experiment,
    name: str,
    network: Network,
    train: images.Images,
    test: list[Tensor],
    scales: Scales,
) -> dict[str, tuple[list[dict], list[dict]]]:
    """Points and convergence curves of codebooks made from run `name`, by series."""
    trained = trained_codebook(experiment, network, train)
    own, sizes = len(trained.codebook), experiment.measure.sizes
    seeds = experiment.measure.clusterings
    found: dict[str, tuple[list[dict], list[dict]]] = defaultdict(lambda: ([], []))
    work = []
    if name in experiment.measure.reduce:
        work.append(clustered.reduced(trained, [s for s in sizes if s < own], seeds))
    if name in experiment.measure.expand:
        # Few sizes lie above it, so those between count as well.
        larger = sorted(s for s in {*sizes, *experiment.measure.unseen} if s > own)
        work.append(clustered.expanded(trained, larger, seeds))
    for makers in work:
        for made in tqdm(makers, f"made from {name}", mininterval=5):
            point = measure_codebook(network, made.codebook, made.size, test, scales)
            points, curves = found[f"{name}-{made.series}"]
            points.append(point | {"clustering": made.seed})
            if made.curve:
                kept = [round(value, 8) for value in made.curve]
                curves.append({"codewords": made.size, "clustering": made.seed, "curve": kept})
    return found


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, required=True, help="folder to write into")
    parser.add_argument("--st-lpips", type=Path, metavar="FILE", help="weights for ST-LPIPS")
    parser.add_argument("--inception", type=Path, metavar="FILE", help="weights for FID")
    options = parser.parse_args()
    try:
        if options.threads:
            torch.set_num_threads(options.threads)
        experiment = settings.load(options.config)
        scales = Scales.load(options.st_lpips, options.inception)
        train, pictures = images.load(experiment.data, options.data)
        known, test = batches(train, most=len(pictures)), batches(pictures)
        points: dict[str, list[dict]] = defaultdict(list)
        curves: dict[str, list[dict]] = defaultdict(list)
        for run in experiment.runs:
            for seed in experiment.train.seeds:
                try:
                    network, state = restore(experiment, run, seed, options.out)
                except TrainingError as error:
                    print(f"left out: {error}", flush=True)
                    continue
                trained = {"seed": seed, "train-s": round(state["seconds"], 1)}
                for point in measure_run(experiment, network, known, test, scales):
                    points[run.curve].append(point | trained)
                if isinstance(network.arm, Raq):
                    # What the authors' code tests in the place of a generated codebook of K.
                    table = network.arm.base.table
                    point = measure_codebook(network, table, len(table), test, scales)
                    points[f"{run.curve}-source"].append(point | trained)
                named = (*experiment.measure.reduce, *experiment.measure.expand)
                if run.name in named:
                    found = _remade(experiment, run.name, network, train, test, scales)
                    for series, (more, ways) in found.items():
                        points[series] += [point | {"seed": seed} for point in more]
                        curves[series] += [way | {"seed": seed} for way in ways]
                # Now, so that an interruption loses no more than one run.
                for name, measured in points.items():
                    extra = {"convergence": curves[name]} if curves[name] else {}
                    results.write(options.results, experiment, name, measured, extra)
                print(f"measured {run.name}-{seed}", flush=True)
        print(f"{len(points)} curves in {options.results}")
    except Exception as error:
        text = explained(error)
        if text is None:
            raise
        sys.exit(f"error: {text}")


if __name__ == "__main__":
    main()
