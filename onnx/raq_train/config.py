"""Typed settings of a training run, read from a TOML file in `onnx/configs/`."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from pathlib import Path

from . import section

MAX_LATENT = 64
MAX_CODEBOOKS = 8
MAX_STAGES = 16
MAX_CODEWORDS = 4096
MAX_DIM = 256
"""Most integers in a codeword."""

MAX_HIDDEN = 256
"""Most numbers in an adapter's state: with it and MAX_DIM every partial sum stays below 2^24."""

MAX_SHIFT = 4
COVERS = (1, 2, 4)
SOURCES = ("residuals", "photos", "white")
NAME = re.compile("[a-z][a-z0-9_]{0,31}")
"""Names of codebooks: they name files and tensors, too."""


@dataclass(frozen=True)
class ModelConfig:
    """Shapes of the networks. `latent_dim` is D; channels and blocks set the compute.

    A block has `spatial_layers` depth-wise 3x3 convolutions in a row: they hardly cost time and set
    how far positions can share their bits.
    """

    latent_dim: int = 32
    encoder_channels: int = 96
    encoder_blocks: int = 5
    decoder_channels: int = 128
    decoder_blocks: int = 7
    spatial_layers: int = 2


@dataclass(frozen=True)
class CodebookConfig:
    """One codebook: what its codewords stand for, and the sizes of the adapter that generates it.

    A codeword covers a block of `cover` x `cover` positions (1, 2 or 4) and codes the first `lead`
    components of each (0 in a file: all of them): cover * cover * lead integers, the positions row
    by row, the components of a position together. `chains` decoder chains run side by side, so
    the adapter takes `max_codewords / chains` recurrent steps.

    `source` says what its table is learned from: `residuals` that the codec itself leaves on clips,
    blocks of `photos`, or `white` noise, all directions alike.
    """

    name: str = "position"
    source: str = "residuals"
    cover: int = 1
    lead: int = 0
    base_codewords: int = 512
    max_codewords: int = 4096
    hidden: int = 256
    chains: int = 32

    @property
    def dims(self) -> int:
        """Integers in a codeword."""
        return self.cover**2 * self.lead


@dataclass(frozen=True)
class StageConfig:
    """One stage: the codewords of the codebook named `codebook`, scaled by 2^-shift (0..4)."""

    codebook: str = "position"
    shift: int = 0


@dataclass(frozen=True)
class ClipConfig:
    """A training clip: a file below the data's `video` folder, scaled to `size`, and its bitrates.

    It is coded in `datagrams` per frame (0: as suits the rate), with reports `delay` late, and
    `loss` of the datagrams lost. `held` clips are for validation: nothing is learned from them.
    Of a `still` clip the first frame is repeated.
    """

    file: str
    size: str
    rates: tuple[int, ...]
    frames: int = 45
    datagrams: int = 0
    delay: str = ""
    loss: float = 0.0
    held: bool = False
    still: bool = False

    @property
    def name(self) -> str:
        """The file's name without folder and ending."""
        return Path(self.file).stem


@dataclass(frozen=True)
class SequenceConfig:
    """What sequences are made of beside the clips: `pans` photos filmed by a moving camera, and
    `stills` photos repeated, `size` pixels on a side, at these bitrates in kbit/s.
    """

    pans: int = 14
    pan_frames: int = 10
    pan_rates: tuple[int, ...] = (150, 500, 1200)
    stills: int = 12
    still_frames: int = 75
    still_rates: tuple[int, ...] = (100, 400)
    size: int = 256


@dataclass(frozen=True)
class DecoderConfig:
    """Training of the decoder on what the codec left of sequences (`batch` crops a step), photos
    with made-up noise and photos without any (half of it each).
    """

    steps: int = 4000
    batch: int = 16
    learning_rate: float = 6e-4
    validate_every: int = 250


@dataclass(frozen=True)
class AdapterConfig:
    """Training of the adapters, the same for every codebook.

    Steps count optimiser updates: imitation of the learned table, then lower distortion, first in
    floats, then in the integers that are exported. With `imitate` it does nothing but imitate in
    all its phases: right where the table was tuned for more than its distance to the vectors.
    """

    distil_steps: int = 1000
    float_steps: int = 2000
    integer_steps: int = 2000
    imitate: bool = False
    batch: int = 16_384
    learning_rate: float = 2e-3


@dataclass(frozen=True)
class TrainConfig:
    """Training of the networks on photos: half of a batch without noise, half with noise that is
    like that of the codec.

    `photos` names folders below the photos' root; none means generated pictures. Distortion is
    measured over `crops_per_picture` crops of one photo together, as for a picture; `recolour` of
    the photos get other colours. Chroma enters the latents scaled by `chroma_weight` and the loss
    by `loss_chroma_weight`.
    """

    photos: tuple[str, ...] = ()
    crop: int = 128
    batch: int = 16
    steps: int = 12_000
    crops_per_picture: int = 4
    recolour: float = 0.25
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    chroma_weight: float = 0.6
    loss_chroma_weight: float = 0.5
    weight_average: float = 0.998
    threads: int = 0
    seed: int = 1
    checkpoint_seconds: float = 120.0


@dataclass(frozen=True)
class Config:
    """One run: what is trained and how. Without `stages`, each codebook is one, unshifted."""

    name: str = "base"
    model: ModelConfig = field(default_factory=ModelConfig)
    codebooks: tuple[CodebookConfig, ...] = (CodebookConfig(),)
    stages: tuple[StageConfig, ...] = ()
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    clips: tuple[ClipConfig, ...] = ()
    sequences: SequenceConfig = field(default_factory=SequenceConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)

    def __post_init__(self) -> None:
        whole = self.model.latent_dim
        books = tuple(dataclasses.replace(b, lead=b.lead or whole) for b in self.codebooks)
        object.__setattr__(self, "codebooks", books)
        if not self.stages:
            object.__setattr__(self, "stages", tuple(StageConfig(b.name) for b in books))
        _check(self)

    def codebook(self, name: str) -> CodebookConfig:
        """The codebook of that name. Raises ValueError where there is none."""
        for codebook in self.codebooks:
            if codebook.name == name:
                return codebook
        known = [codebook.name for codebook in self.codebooks]
        raise ValueError(f"no codebook is named {name!r}; the configuration has {known}")


def _check(config: Config) -> None:
    """The bounds that readers of the manifest rely on; ValueError says which one is broken."""

    def within(what: str, value: int, low: int, high: int) -> None:
        if not low <= value <= high:
            raise ValueError(f"{what} is {value}, outside {low}..{high}")

    within("latent_dim", config.model.latent_dim, 1, MAX_LATENT)
    within("the number of codebooks", len(config.codebooks), 1, MAX_CODEBOOKS)
    within("the number of stages", len(config.stages), 1, MAX_STAGES)
    names = [codebook.name for codebook in config.codebooks]
    for one in config.codebooks:
        where = f"codebook {one.name!r}: "
        if not NAME.fullmatch(one.name) or names.count(one.name) > 1:
            raise ValueError(where + "names are unique and match " + NAME.pattern)
        if one.source not in SOURCES:
            raise ValueError(where + f"source is {one.source!r}, not one of {SOURCES}")
        if one.cover not in COVERS:
            raise ValueError(where + f"cover is {one.cover}, not one of {COVERS}")
        within(where + "lead", one.lead, 1, config.model.latent_dim)
        within(where + "cover * cover * lead", one.dims, 1, MAX_DIM)
        within(where + "max_codewords", one.max_codewords, 1, MAX_CODEWORDS)
        within(where + "base_codewords", one.base_codewords, 1, one.max_codewords)
        within(where + "hidden", one.hidden, 1, MAX_HIDDEN)
    for number, stage in enumerate(config.stages):
        config.codebook(stage.codebook)
        within(f"stage {number}: shift", stage.shift, 0, MAX_SHIFT)


def load(path: Path) -> Config:
    """Read a TOML file. Unknown sections and keys are refused by name, as are values out of bounds.

    `[model]`, `[adapter]`, `[train]`, `[sequences]` and `[decoder]` are sections, `[[codebooks]]`,
    `[[stages]]` and `[[clips]]` lists.
    """
    raw = section.read(path)
    sections = {
        "model": ModelConfig,
        "adapter": AdapterConfig,
        "train": TrainConfig,
        "sequences": SequenceConfig,
        "decoder": DecoderConfig,
    }
    lists = {"codebooks": CodebookConfig, "stages": StageConfig, "clips": ClipConfig}
    section.demand_known(raw, {*sections, *lists, "name"}, f"{path}: unknown sections")
    parts = {k: section.section(c, raw.get(k, {}), f"{path} [{k}]") for k, c in sections.items()}
    for key, cls in lists.items():
        if key in raw:
            parts[key] = tuple(section.section(cls, one, f"{path} [[{key}]]") for one in raw[key])
    try:
        return Config(name=raw.get("name", path.stem), **parts)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
