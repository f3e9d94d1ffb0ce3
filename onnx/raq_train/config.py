"""Typed settings of a training run, read from a TOML file in `onnx/configs/`."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path


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
    """Sizes and training of the codebook and of the adapter that generates it.

    `chains` decoder chains run side by side, so the adapter takes `max_codewords / chains`
    recurrent steps. Steps count optimiser updates; `latents` is the number of training vectors.
    `table_steps` are Lloyd iterations on the joint phase's table before the adapter imitates it.
    """

    base_codewords: int = 512
    max_codewords: int = 4096
    hidden: int = 256
    chains: int = 32
    latents: int = 300_000
    table_steps: int = 0
    distil_steps: int = 1000
    float_steps: int = 2000
    integer_steps: int = 2000
    batch: int = 16_384
    learning_rate: float = 2e-3


@dataclass(frozen=True)
class TrainConfig:
    """Schedule of the networks: unquantised steps, joint steps, steps with the final codebook.

    `photos` names folders below the photos' root; none means generated pictures. In the joint
    phase the encoder also learns from pictures quantised with `ste_above` or more codewords.
    Distortion is measured over `crops_per_picture` crops of one photo together, as for a picture;
    `recolour` of the photos get other colours; `unquantised_share` of a joint batch is decoded
    without quantisation too and counts as much as the rest: the straight-through gradient alone
    carries the encoder away. Chroma enters the latents scaled by `chroma_weight` and the loss by
    `loss_chroma_weight`.
    """

    photos: tuple[str, ...] = ()
    crop: int = 128
    batch: int = 24
    autoencoder_steps: int = 5500
    joint_steps: int = 8000
    settle_steps: int = 2000
    crops_per_picture: int = 1
    recolour: float = 0.25
    unquantised_share: float = 0.5
    ste_above: int = 2048
    commitment: float = 0.5
    learning_rate: float = 2e-3
    warmup_steps: int = 200
    chroma_weight: float = 0.7
    loss_chroma_weight: float = 0.4
    weight_average: float = 0.999
    threads: int = 0
    seed: int = 1
    checkpoint_seconds: float = 120.0


@dataclass(frozen=True)
class Config:
    """One run: what is trained and how."""

    name: str = "base"
    model: ModelConfig = field(default_factory=ModelConfig)
    codebook: CodebookConfig = field(default_factory=CodebookConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


def _section(cls: type, values: dict, where: str) -> object:
    known = {f.name for f in dataclasses.fields(cls)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"{where}: unknown keys {unknown}; known are {sorted(known)}")
    return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def load(path: Path) -> Config:
    """Read a TOML file. Unknown sections and keys are refused by name."""
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    sections = {"model": ModelConfig, "codebook": CodebookConfig, "train": TrainConfig}
    unknown = sorted(set(raw) - set(sections) - {"name"})
    if unknown:
        raise ValueError(f"{path}: unknown sections {unknown}")
    parts = {k: _section(c, raw.get(k, {}), f"{path} [{k}]") for k, c in sections.items()}
    return Config(name=raw.get("name", path.stem), **parts)
