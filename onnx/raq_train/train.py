"""Train the networks on photos: `python -m raq_train.train --config configs/base.toml --out RUN`.

The linear parts are the principal components of training patches, orthonormal and frozen. Half of
a batch is decoded as it is, half with noise like the codec's. Resumable from `checkpoint.pt` in the
output folder; the averaged networks become `networks.pt`, the configuration `config.toml` there.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch

from . import config as configuration
from .checkpoint import Checkpoint
from .config import Config
from .data import Crops, Planes, data_root, generate_pictures, load_photos
from .model import UNQUANTISED_LEVEL, Autoencoder, to_patches
from .networks import Batch, Schedule, train_networks
from .noise import Noise
from .psnr import mean_psnr


def start_basis(model: Autoencoder, crops: Crops, chroma_weight: float) -> None:
    """Principal components of about 100,000 training patches."""
    batches = max(1, 100_000 * 64 // (crops.crop**2 * crops.batch))
    patches = [to_patches(*crops.next(), chroma_weight) for _ in range(batches)]
    model.set_basis(torch.cat([p.permute(0, 2, 3, 1).reshape(-1, p.shape[1]) for p in patches]))


def load_pictures(config: Config, photos: Path) -> tuple[list[Planes], list[Planes]]:
    """Pictures to train on, and every fiftieth, which only steers what is printed."""
    settings = config.train
    if settings.photos:
        pictures = load_photos(photos, settings.photos, settings.crop)
    else:
        pictures = generate_pictures(40, 2 * settings.crop, settings.seed)
    return [p for i, p in enumerate(pictures) if i % 50], pictures[::50]


def training_crops(config: Config, pictures: list[Planes], seed: int) -> Crops:
    """Crops of `pictures` as the configuration asks for."""
    settings = config.train
    return Crops(
        pictures,
        settings.crop,
        settings.batch,
        seed,
        settings.crops_per_picture,
        settings.recolour,
    )


class PhotoBatches:
    """Batches of photos: the first half noisy, the second as the encoder gives it."""

    def __init__(self, model: Autoencoder, crops: Crops, seed: int) -> None:
        self.model, self.crops = model, crops
        self.noise = Noise(crops.per_picture, seed)
        self.noisy = crops.batch // crops.per_picture // 2 * crops.per_picture

    def draw(self) -> Batch:
        """The next batch; the encoder learns from its second half alone."""
        device = self.model.encoder.basis.device
        luma, chroma = (plane.to(device) for plane in self.crops.next())
        latents = self.model.encode(luma, chroma).float()
        levels = torch.full_like(latents[:, :1], UNQUANTISED_LEVEL)
        noisy, coarse = self.noise.apply(latents[: self.noisy].detach())
        latents = torch.cat([noisy, latents[self.noisy :]])
        return Batch(latents, torch.cat([coarse, levels[self.noisy :]]), luma, chroma)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--photos", type=Path, default=data_root() / "photos")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--steps", type=int, help="stop after this many of the steps")
    options = parser.parse_args()
    try:
        config = configuration.load(options.config)
        pictures, check = load_pictures(config, options.photos)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    settings = config.train
    if settings.threads:
        torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    checkpoint = Checkpoint(options.out / "checkpoint.pt", settings.checkpoint_seconds)
    shutil.copyfile(options.config, options.out / "config.toml")
    state = checkpoint.load()
    seed = settings.seed + state.get("step", 0)
    crops = training_crops(config, pictures, seed)
    model = Autoencoder(config.model, settings.chroma_weight).to(options.device)
    model = model.to(memory_format=torch.channels_last)
    if not state:
        start_basis(model, crops, settings.chroma_weight)
        print(f"principal components alone: {mean_psnr(model, check):.2f} dB", flush=True)
    schedule = Schedule(
        min(options.steps or settings.steps, settings.steps),
        settings.learning_rate,
        settings.warmup_steps,
        settings.weight_average,
        settings.loss_chroma_weight,
        settings.crops_per_picture,
        500,
    )
    state = train_networks(
        model,
        [p for p in model.parameters() if p.requires_grad],
        schedule,
        PhotoBatches(model, crops, seed).draw,
        lambda: f"{mean_psnr(model, check):.2f} dB unquantised",
        checkpoint,
        state,
    )
    torch.save({"average": state["average"]}, options.out / "networks.pt")
    print(f"step {state['step']}; networks in {options.out}")


if __name__ == "__main__":
    main()
