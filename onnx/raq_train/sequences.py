"""Code clips with the codec itself: `python -m raq_train.sequences --config C --run RUN`.

Training clips, photos under a moving camera and repeated photos go through `raq-sim vectors` with
the codebooks of the run: those that its adapters emit once all are trained, before that its tables
`tables/NAME.npy`. For each clip `sequences/CLIP.y4m` holds the frames and `sequences/CLIP/` what
raq-sim writes: residuals, counts, and what a decoder gets. The sum of all counts becomes the run's
`tables.json`, held clips left out. Clips that are done are not coded again unless the model has
changed; `--stale` takes them as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import torch

from . import clips, tables
from . import config as configuration
from .clips import Job
from .config import Config
from .data import data_root
from .export import export, load_adapters, load_networks, load_tables
from .untrained import random_adapter

REPOSITORY = Path(__file__).resolve().parents[2]


def raq_sim() -> Path:
    """RAQ_SIM, or the release build beside this folder."""
    return Path(os.environ.get("RAQ_SIM") or REPOSITORY / "target" / "release" / "raq-sim")


def sketch(config: Config, run: Path) -> tuple[list[str], str]:
    """Make the model that codes; returns raq-sim's flags for it and what tells it from others.

    Its tables of symbols are those of the run, flat where it has none that fit. Raises ValueError
    where networks, tables or adapters are missing.
    """
    out = run / "sketch"
    model = load_networks(config, run)
    try:
        counts = load_tables(config, run)
    except ValueError:
        counts = tables.flat(config)
    if all((run / "adapters" / f"{one.name}.json").exists() for one in config.codebooks):
        manifest = export(config, model, load_adapters(config, run), counts, out)
        return ["--model", str(out)], manifest["codebook_digest"]
    torch.manual_seed(config.train.seed)
    spread = torch.full((config.model.latent_dim,), 40.0)
    adapters = {one.name: random_adapter(one, spread) for one in config.codebooks}
    export(config, model, adapters, counts, out)
    for one in config.codebooks:
        path = run / "tables" / f"{one.name}.npy"
        if not path.exists():
            raise ValueError(f"no {path}: run raq_train.start_tables")
        rows = np.load(path).round().clip(-8191, 8191).astype("<i2")
        if rows.shape != (one.max_codewords, one.dims):
            raise ValueError(f"{path} is {rows.shape}, not {(one.max_codewords, one.dims)}")
        (out / f"{one.name}.i16").write_bytes(rows.tobytes())
    stamp = str([(run / "tables" / f"{one.name}.npy").stat().st_mtime for one in config.codebooks])
    return ["--model", str(out), "--codebooks", str(out)], stamp


def code(program: Path, job: Job, flags: list[str], clip: Path, out: Path) -> None:
    """Run `raq-sim vectors` on one clip. Raises ValueError with its words where it fails."""
    partial = out.with_suffix(".tmp")
    shutil.rmtree(partial, ignore_errors=True)
    command = [str(program), "vectors", "--input", str(clip), "--frames", str(job.frames)]
    command += ["--rates", ",".join(map(str, job.rates)), "--out", str(partial)]
    done = subprocess.run(
        [*command, *flags, *job.arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ValueError(f"{job.name}: {done.stderr.strip()}")
    (partial / "log").write_text(done.stderr, encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)
    partial.replace(out)


def collect(
    config: Config, run: Path, data: Path, program: Path, more: list[str], stale: bool
) -> list[Job]:
    """Code what is missing; returns all jobs. Raises ValueError where one fails."""
    todo = list(clips.jobs(config.clips, config.sequences))
    folder = run / "sequences"
    folder.mkdir(parents=True, exist_ok=True)
    flags, stamp = sketch(config, run)
    flags += more
    made = [job for job in todo if job.source is None]
    drawn = clips.photos(data / "photos", config.train.photos, len(made), config.train.seed)
    photo_of = {job.name: photo for job, photo in zip(made, drawn, strict=True)}
    stamp += f" {flags}"
    for number, job in enumerate(todo):
        clip, out = folder / f"{job.name}.y4m", folder / job.name
        clips.make(job, config, data, photo_of.get(job.name), clip)
        mark = out / "stamp"
        want = f"{stamp} {job.rates} {job.frames} {job.arguments}"
        if mark.exists() and (stale or mark.read_text(encoding="utf-8") == want):
            continue
        code(program, job, flags, clip, out)
        mark.write_text(want, encoding="utf-8")
        print(f"{number + 1} of {len(todo)}: {job.name}", flush=True)
    return todo


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--config", type=Path, help="by default RUN/config.toml")
    parser.add_argument("--data", type=Path, default=data_root(), help="has photos/ and video/")
    parser.add_argument("--raq-sim", type=Path, default=raq_sim(), help="the program")
    parser.add_argument("--speed", default="thorough", help="raq-sim's")
    parser.add_argument("--stale", action="store_true", help="keep clips coded by another model")
    options = parser.parse_args()
    try:
        config = configuration.load(options.config or options.run / "config.toml")
        if config.train.threads:
            torch.set_num_threads(config.train.threads)
        speed = ["--speed", options.speed]
        done = collect(config, options.run, options.data, options.raq_sim, speed, options.stale)
        parts = [
            json.loads((options.run / "sequences" / job.name / "counts.json").read_text("utf-8"))
            for job in done
            if not job.held
        ]
        counts = tables.add(parts)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    path = options.run / "tables.json"
    path.write_text(json.dumps(counts) + "\n", encoding="utf-8")
    print(f"{path}: updates by band {[sum(band['start']) for band in counts['bands']]}")


if __name__ == "__main__":
    main()
