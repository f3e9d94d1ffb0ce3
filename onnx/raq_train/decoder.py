"""Train the decoder on what the codec leaves: `python -m raq_train.decoder --config C --run RUN`.

Starts from the run's networks. A step sees crops of coded sequences and as many of photos, half of
those noisy, half as the encoder gives them; the encoder rests. Resumable from
`decoder_checkpoint.pt`; the averaged networks that are best on the held clips become `decoder.pt`.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import torch

from . import coded
from . import config as configuration
from .checkpoint import Checkpoint
from .coded import Coded, CodedBatches
from .config import Config
from .data import Planes, data_root
from .export import load_networks
from .model import Autoencoder
from .networks import Schedule, train_networks
from .psnr import mean_psnr
from .train import PhotoBatches, load_pictures, training_crops

SHOWN = 4
"""Frames of a held clip that are measured, evenly spread, the last one among them."""


class Validation:
    """Measures held clips; keeps the networks that were best in `path`."""

    def __init__(self, held: list[Coded], photos: list[Planes], path: Path) -> None:
        self.held, self.photos, self.path = held, photos, path
        self.best = -np.inf
        if path.exists():
            self.best = torch.load(path, weights_only=True, map_location="cpu")["psnr"]

    def measure(self, model: Autoencoder) -> str:
        """PSNR-Y of each held clip and rate, of photos not quantised, and what is kept."""
        values = {
            one.name: np.mean([one.psnr(model, frame) for frame in self._frames(one)])
            for one in self.held
        }
        mean = float(np.mean(list(values.values())))
        kept = ""
        if mean > self.best:
            self.best, kept = mean, ", kept"
            partial = self.path.with_suffix(".tmp")
            torch.save({"average": model.state_dict(), "psnr": mean}, partial)
            partial.replace(self.path)
        photos = mean_psnr(model, self.photos)
        each = " ".join(f"{name} {value:.2f}" for name, value in values.items())
        return f"{mean:.3f} dB{kept}; photos not quantised {photos:.2f}; {each}"

    def _frames(self, one: Coded) -> list[int]:
        return (
            np.linspace(coded.FIRST, len(one.sums) - 1, SHOWN + 1).round().astype(int)[1:].tolist()
        )


def train_decoder(config: Config, run: Path, photos: Path, steps: int) -> str:
    """Train, or go on; returns the last measurement. Raises ValueError where a file is missing."""
    settings, how = config.train, config.decoder
    checkpoint = Checkpoint(run / "decoder_checkpoint.pt", settings.checkpoint_seconds)
    state = checkpoint.load()
    seed = settings.seed + 4321 + state.get("step", 0)
    torch.manual_seed(seed)
    model = load_networks(config, run, decoder=False).to(memory_format=torch.channels_last)
    model.encoder.requires_grad_(False)
    pictures, check = load_pictures(config, photos)
    batch = dataclasses.replace(config, train=dataclasses.replace(settings, batch=how.batch))
    photo = PhotoBatches(model, training_crops(batch, pictures, seed), seed)
    learned = list(coded.load(config, run, held=False))
    clip = CodedBatches(learned, settings.crop, how.batch, settings.crops_per_picture, seed)
    validation = Validation(list(coded.load(config, run, held=True)), check, run / "decoder.pt")
    if not state:
        print(f"0: {validation.measure(model)}", flush=True)
    schedule = Schedule(
        steps,
        how.learning_rate,
        settings.warmup_steps,
        settings.weight_average,
        settings.loss_chroma_weight,
        settings.crops_per_picture,
        how.validate_every,
    )
    train_networks(
        model,
        list(model.decoder.parameters()),
        schedule,
        lambda: clip.draw().join(photo.draw()),
        lambda: validation.measure(model),
        checkpoint,
        state,
    )
    return f"{validation.best:.3f} dB on held clips at best"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--config", type=Path, help="by default RUN/config.toml")
    parser.add_argument("--photos", type=Path, default=data_root() / "photos")
    parser.add_argument("--steps", type=int, help="instead of the configuration's")
    options = parser.parse_args()
    try:
        config = configuration.load(options.config or options.run / "config.toml")
        if config.train.threads:
            torch.set_num_threads(config.train.threads)
        steps = options.steps or config.decoder.steps
        print(train_decoder(config, options.run, options.photos, steps))
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
