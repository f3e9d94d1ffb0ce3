"""Typed settings of an experiment, read from a TOML file in `onnx/configs/paper/`.

An experiment is a list of runs that share data, networks and steps; each run trains one arm.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from pathlib import Path

from .. import section

ARMS = ("fixed", "raq", "prefix", "simvq", "residual", "fsq")
KINDS = ("vqvae", "vqvae2", "planes")
FEEDS = ("paper", "code")
DRAWS = ("uniform", "log")
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class DataSettings:
    """What is trained and measured on, below the data's root unless `root` says otherwise.

    `train` and `test` name sources as `images.load` takes them; `size` is the side of the pictures
    in pixels. `generated` pictures stand in for both where it is not 0: for smoke tests.
    """

    train: tuple[str, ...] = ("cifar10-lossless:0-2999", "cifar10-jpeg")
    test: tuple[str, ...] = ("cifar10-lossless:3000-3999",)
    size: int = 32
    generated: int = 0


@dataclass(frozen=True)
class NetworkSettings:
    """Sizes of the autoencoder: `vqvae` has one grid at a quarter of the resolution, `vqvae2` one
    more at an eighth, both with the same codebook, as in the authors' code. `planes` is the
    autoencoder of the product, so that it can be exported; its `channels` and `blocks` are the
    decoder's.

    `dim` is the length of a codeword.
    """

    kind: str = "vqvae"
    channels: int = 128
    residual_channels: int = 64
    blocks: int = 2
    dim: int = 64


@dataclass(frozen=True)
class TrainSettings:
    """Training, the same for every run.

    `restart` gives codewords that less than this share of their even part of the batch chose a
    latent of the batch, and starts from latents; 0 does neither, as in the authors' code.
    """

    steps: int = 3000
    batch: int = 128
    learning_rate: float = 5e-4
    commitment: float = 0.25
    decay: float = 0.99
    restart: float = 0.1
    seeds: tuple[int, ...] = (10,)
    checkpoint_seconds: float = 60.0


@dataclass(frozen=True)
class RunSettings:
    """One run: an arm and what it has of its own.

    `codewords` is K: of a fixed codebook, or of the base that a RAQ generator reads. `largest` is
    the largest K̃ and `smallest` the smallest that is drawn in training. `feed` says what a
    generator is fed where nothing is forced: its last output (`paper`) or a learned row for the
    step (`code`). `forcing` turns cross-forcing off. `hidden` and `layers` are the LSTM's; a
    `hidden` other than the codeword's length takes linear maps at both ends. `stages` are the sizes
    of a residual quantiser, `levels` those of FSQ. Runs of one `series` (by default the run's name)
    are points of one curve.
    """

    name: str
    arm: str
    series: str = ""
    codewords: int = 128
    smallest: int = 8
    largest: int = 1024
    draw: str = "uniform"
    feed: str = "paper"
    forcing: bool = True
    hidden: int = 64
    layers: int = 2
    dropout: float = 0.0
    stages: tuple[int, ...] = ()
    levels: tuple[int, ...] = ()

    @property
    def curve(self) -> str:
        """The curve that its points belong to."""
        return self.series or self.name


@dataclass(frozen=True)
class MeasureSettings:
    """At which K̃ arms that can adapt are measured, and of which runs smaller and larger codebooks
    are made without training: `reduce` and `expand` name runs of fixed codebooks.

    `clusterings` is how many seeds every start of a clustering gets.
    """

    sizes: tuple[int, ...] = (16, 32, 64, 128, 256, 512, 1024)
    unseen: tuple[int, ...] = (48, 300, 700)
    reduce: tuple[str, ...] = ()
    expand: tuple[str, ...] = ()
    clusterings: int = 3
    latents: int = 200_000


@dataclass(frozen=True)
class Experiment:
    """Everything that a table is made of."""

    name: str
    runs: tuple[RunSettings, ...]
    data: DataSettings = field(default_factory=DataSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    measure: MeasureSettings = field(default_factory=MeasureSettings)

    def __post_init__(self) -> None:
        _check(self)

    def run(self, name: str) -> RunSettings:
        """The run of that name. Raises ValueError where there is none."""
        for run in self.runs:
            if run.name == name:
                return run
        known = ", ".join(run.name for run in self.runs)
        raise ValueError(f"no run is named {name!r}; the experiment has {known}")

    def identity(self, run: RunSettings) -> dict:
        """What a checkpoint of `run` depends on, as JSON holds it: all but where and how often."""
        train = dataclasses.asdict(self.train)
        for key in ("seeds", "checkpoint_seconds", "steps"):
            del train[key]
        parts = {"data": self.data, "network": self.network, "run": run}
        made = {key: dataclasses.asdict(part) for key, part in parts.items()} | {"train": train}
        return _plain(made)


def _plain(value: object) -> object:
    """Tuples as lists: what comes back out of JSON."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def _check(experiment: Experiment) -> None:
    """ValueError names the first value that makes no sense."""

    def demand(holds: bool, text: str) -> None:
        if not holds:
            raise ValueError(text)

    train, network, measure = experiment.train, experiment.network, experiment.measure
    demand(bool(experiment.runs), "there are no [[runs]]; list at least one")
    demand(experiment.data.size % 8 == 0, "[data] size must be a multiple of 8")
    demand(network.kind in KINDS, f"[network] kind {network.kind!r} is unknown")
    for key in ("steps", "batch"):
        demand(getattr(train, key) > 0, f"[train] {key} must be above 0")
    demand(bool(train.seeds), "[train] seeds is empty; give at least one")
    demand(0 <= train.restart < 1, "[train] restart must be 0 or a share below 1")
    names = [run.name for run in experiment.runs]
    for run in experiment.runs:
        where = f"run {run.name!r}: "
        demand(bool(NAME.fullmatch(run.name)), where + f"names match {NAME.pattern}")
        demand(names.count(run.name) == 1, where + "is there twice")
        demand(run.arm in ARMS, where + f"arm {run.arm!r} is not one of {ARMS}")
        demand(run.draw in DRAWS, where + f"draw {run.draw!r} is not one of {DRAWS}")
        demand(run.feed in FEEDS, where + f"feed {run.feed!r} is not one of {FEEDS}")
        demand(run.codewords >= 2, where + "codewords must be 2 or more")
        demand(2 <= run.smallest <= run.largest, where + "smallest..largest is no range from 2")
        demand(run.hidden > 0 and run.layers > 0, where + "hidden and layers must be above 0")
        demand(0 <= run.dropout < 1, where + "dropout must be 0 or a share below 1")
        demand(not run.dropout or run.feed == "code", where + 'dropout needs feed = "code"')
        demand(run.arm != "residual" or len(run.stages) > 0, where + "residual needs stages")
        demand(run.arm != "fsq" or len(run.levels) > 0, where + "fsq needs levels")
    for name in (*measure.reduce, *measure.expand):
        demand(experiment.run(name).arm == "fixed", f"[measure] {name!r} is not of arm fixed")


def load(path: Path) -> Experiment:
    """Read a TOML file. Raises OSError or ValueError, which names what is wrong."""
    raw = section.read(path)
    sections = {
        "data": DataSettings,
        "network": NetworkSettings,
        "train": TrainSettings,
        "measure": MeasureSettings,
    }
    section.demand_known(raw, {*sections, "runs", "name"}, f"{path}: unknown sections")
    parts = {k: section.section(c, raw.get(k, {}), f"{path} [{k}]") for k, c in sections.items()}
    listed, where = raw.get("runs", []), f"{path} [[runs]]"
    runs = tuple(section.section(RunSettings, one, where) for one in listed)
    try:
        return Experiment(name=raw.get("name", path.stem), runs=runs, **parts)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
