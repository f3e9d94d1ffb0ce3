"""Train a model: `python -m raq_train.train --config configs/base.toml --out runs/base`.

Four phases, each resumable from `checkpoint.pt` in the output folder:

1. autoencoder: encoder and decoder without a quantiser, from the principal components;
2. joint: a table of nested codewords, quantised and unquantised branches together;
3. codebook: the encoder is frozen; the table is refined, the adapter learns to generate one;
4. settle: networks and integer adapter together, on the codebook that is really emitted.

The codebook is the first of the configuration that codes one position with all its components;
others are left to `python -m raq_train.fit_codebooks`. `python -m raq_train.export` turns the
finished checkpoint into a model folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from tqdm import tqdm

from . import config as configuration
from .checkpoint import Checkpoint
from .codebook import (
    REPORTED,
    Vectors,
    order_by_parents,
    relative_db,
    restore_adapter,
    start_adapter,
    train_adapter,
)
from .config import Config
from .data import Crops, Planes, data_root, generate_pictures, load_photos
from .model import LATENT_SCALE, Autoencoder, to_patches
from .networks import Emitted, Quantiser, Table, collect_latents, train_networks
from .psnr import mean_psnr
from .table import fit, ladder, lloyd_step

PHASES = ("autoencoder", "joint", "codebook", "settle", "done")


def start_basis(model: Autoencoder, crops: Crops, chroma_weight: float) -> None:
    """Principal components of about 100,000 training patches."""
    batches = max(1, 100_000 * 64 // (crops.crop**2 * crops.batch))
    patches = [to_patches(*crops.next(), chroma_weight) for _ in range(batches)]
    model.set_basis(torch.cat([p.permute(0, 2, 3, 1).reshape(-1, p.shape[1]) for p in patches]))


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


def train_codebook(
    config: Config,
    model: Autoencoder,
    crops: Crops,
    check: list[Planes],
    checkpoint: Checkpoint,
    state: dict,
) -> dict:
    """Phase 3, in grid units; adds `table`, `weights` and the adapter to the state."""
    settings, shape = config.adapter, config.whole_latents()
    device = model.encoder.basis.device
    if "latents" not in state:
        held = training_crops(config, check, config.train.seed + 1000)
        for name, source, count in (("latents", crops, 1.0), ("held", held, 0.1)):
            rows, importance = collect_latents(
                model, source, int(settings.latents * count), state["table"]
            )
            state[name], state[name + "_importance"] = (rows * LATENT_SCALE).round(), importance
        state["table"] = state["table"] * LATENT_SCALE
        ladder_of_all = ladder(shape.max_codewords)
        vectors = state["latents"], state["latents_importance"]
        for _ in tqdm(range(settings.table_steps), "table"):
            state["table"], _ = lloyd_step(*vectors, state["table"], ladder_of_all)
        _, state["weights"] = lloyd_step(*vectors, state["table"], ladder_of_all)
        checkpoint.save(state, now=True)
    levels = [level for level in REPORTED if level <= shape.max_codewords]
    values = relative_db(state["held"], state["held_importance"], state["table"], levels)
    print("table, dB of variance:", {k: round(v, 2) for k, v in zip(levels, values, strict=True)})
    adapter = start_adapter(shape, state["table"], state["latents"]).to(device)
    vectors = Vectors(
        state["latents"], state["latents_importance"], state["held"], state["held_importance"]
    )
    return train_adapter(settings, adapter, vectors, checkpoint, state, config.train.seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--photos", type=Path, default=data_root() / "photos")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--until", choices=PHASES, default="done", help="stop before this phase")
    options = parser.parse_args()
    config = configuration.load(options.config)
    settings, shape = config.train, config.whole_latents()
    if settings.threads:
        torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    device = torch.device(options.device)

    if settings.photos:
        pictures = load_photos(options.photos, settings.photos, settings.crop)
    else:
        pictures = generate_pictures(40, 2 * settings.crop, settings.seed)
    # Every fiftieth picture only steers what is printed here; it is not trained on.
    check, pictures = pictures[::50], [p for i, p in enumerate(pictures) if i % 50]
    print(f"{len(pictures)} training pictures, {len(check)} to check on; {config}")
    checkpoint = Checkpoint(options.out / "checkpoint.pt", settings.checkpoint_seconds)
    state = checkpoint.load()
    seed = settings.seed + state.get("step", 0)
    crops = training_crops(config, pictures, seed)
    model = Autoencoder(config.model, settings.chroma_weight).to(device)
    model = model.to(memory_format=torch.channels_last)
    if state:
        model.load_state_dict(state["networks"])
    else:
        start_basis(model, crops, settings.chroma_weight)
        print(f"principal components alone: {mean_psnr(model, check):.2f} dB")
        state = {"phase": "autoencoder", "step": 0}

    def finish(phase: str) -> None:
        state["phase"], state["step"] = PHASES[PHASES.index(phase) + 1], 0
        checkpoint.save(state, now=True)

    def runs(phase: str) -> bool:
        return state["phase"] == phase and PHASES.index(phase) < PHASES.index(options.until)

    if runs("autoencoder"):
        state = train_networks(config, "autoencoder", model, None, crops, check, checkpoint, state)
        finish("autoencoder")
    if runs("joint"):
        if "table" not in state:
            size = shape.max_codewords
            latents, importance = collect_latents(model, crops, 20 * size, None)
            table, _ = fit(latents, importance, size, ladder(size), 1)
            state["table"] = order_by_parents(table, shape.base_codewords, shape.chains)
            checkpoint.save(state, now=True)
        quantiser = Quantiser(
            Table(state["table"]), settings.ste_above, settings.crops_per_picture, seed
        ).to(device)
        state = train_networks(config, "joint", model, quantiser, crops, check, checkpoint, state)
        state["networks"] = state["average"]
        finish("joint")
    if runs("codebook"):
        model.load_state_dict(state["average"])
        state = train_codebook(config, model, crops, check, checkpoint, state)
        finish("codebook")
    if runs("settle"):
        if state["step"] == 0:
            model.load_state_dict(state["average"])
        codewords = Emitted(restore_adapter(shape, state["adapter"]))
        quantiser = Quantiser(codewords, settings.ste_above, settings.crops_per_picture, seed).to(
            device
        )
        state = train_networks(config, "settle", model, quantiser, crops, check, checkpoint, state)
        finish("settle")
    print(f"phase {state['phase']}; checkpoint in {checkpoint.path}")


if __name__ == "__main__":
    main()
