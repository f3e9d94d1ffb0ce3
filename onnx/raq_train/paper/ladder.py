"""Train all runs of an experiment: `python -m raq_train.paper.ladder --config C --out RUNS`.

Each run is a process of its own, `--jobs` at a time; what is done already is passed over, what was
interrupted goes on. What a run says goes to `RUN-SEED.log` in the output folder. A run that fails
leaves the others running and makes the command fail at its end.
"""

from __future__ import annotations

import subprocess
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from time import sleep

from tqdm import tqdm

from . import settings
from .train import arguments

LOOK = 0.2
"""How often to see which processes are done, seconds."""


@dataclass(frozen=True)
class Work:
    """One run with one seed."""

    run: str
    seed: int

    @property
    def name(self) -> str:
        """As its files are called."""
        return f"{self.run}-{self.seed}"


def start(work: Work, config: Path, out: Path, data: Path, device: str, threads: int):
    """A process that trains it."""
    command = [sys.executable, "-m", "raq_train.paper.train", "--config", str(config)]
    command += ["--out", str(out), "--data", str(data), "--device", device]
    command += ["--name", work.run, "--seed", str(work.seed), "--threads", str(threads)]
    out.mkdir(parents=True, exist_ok=True)
    with (out / f"{work.name}.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


def last_line(path: Path) -> str:
    """What a run said last."""
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    options = parser.parse_args()
    try:
        experiment = settings.load(options.config)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    # All runs with a first seed before any with a second one.
    waiting = deque(
        Work(run.name, seed) for seed in experiment.train.seeds for run in experiment.runs
    )
    bar = tqdm(total=len(waiting), desc="runs", mininterval=0)
    running: dict[Work, subprocess.Popen] = {}
    failed: list[str] = []
    try:
        while waiting or running:
            while waiting and len(running) < max(1, options.jobs):
                work = waiting.popleft()
                running[work] = start(
                    work,
                    options.config,
                    options.out,
                    options.data,
                    options.device,
                    options.threads or 1,
                )
            for work, process in list(running.items()):
                if process.poll() is None:
                    continue
                del running[work]
                bar.update()
                if process.returncode:
                    said = last_line(options.out / f"{work.name}.log")
                    failed.append(work.name)
                    bar.write(f"{work.name} failed: {said}", file=sys.stderr)
            sleep(LOOK)
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on")
    finally:
        for process in running.values():
            process.terminate()
        bar.close()
    if failed:
        sys.exit(f"error: {len(failed)} runs failed: {', '.join(failed)}; see their logs")


if __name__ == "__main__":
    main()
