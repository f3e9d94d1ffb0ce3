"""Steps that train the networks, whatever the pictures come from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from tqdm import tqdm

from .checkpoint import Average, Checkpoint
from .model import Autoencoder, distortion


def learning_rate(step: int, total: int, peak: float, warmup: int) -> float:
    """Linear warm-up, then half a cosine down to a hundredth of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, total - warmup)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def decibels(
    planes: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor], weight: float, per_picture: int
) -> Tensor:
    """Log distortion per picture: in this measure every rate pulls equally hard."""
    crops = distortion(planes, target, weight)
    return torch.log(crops.reshape(-1, per_picture).mean(1) + 0.1)


@dataclass(frozen=True)
class Batch:
    """Latents [N, D, h, w] with levels [N, 1, h, w], and the planes that they should become."""

    latents: Tensor
    levels: Tensor
    luma: Tensor
    chroma: Tensor

    def join(self, other: Batch) -> Batch:
        """Both, this one first."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Batch(*(torch.cat(pair) for pair in pairs))


@dataclass(frozen=True)
class Schedule:
    """How many steps, how fast, and what a step measures over together."""

    steps: int
    learning_rate: float
    warmup_steps: int
    weight_average: float
    loss_chroma_weight: float
    crops_per_picture: int
    validate_every: int


def train_networks(
    model: Autoencoder,
    parameters: list[nn.Parameter],
    schedule: Schedule,
    draw: Callable[[], Batch],
    validate: Callable[[], str],
    checkpoint: Checkpoint,
    state: dict,
) -> dict:
    """Train `parameters` on batches, or go on with it; returns the state, saved now and then.

    `validate` is asked with the averaged weights in place; what it says is printed.
    """
    optimiser = torch.optim.AdamW(parameters, lr=schedule.learning_rate, weight_decay=1e-4)
    average = Average(model, schedule.weight_average)
    first = state.get("step", 0)
    if first:
        model.load_state_dict(state["networks"])
        optimiser.load_state_dict(state["optimiser"])
        average.values = state["average"]
    device = model.encoder.basis.device
    bar = tqdm(range(first, schedule.steps), "networks", mininterval=10)
    for step in bar:
        rate = learning_rate(step, schedule.steps, schedule.learning_rate, schedule.warmup_steps)
        for group in optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast(device.type, torch.bfloat16):
            batch = draw()
            decoded = model.decode(batch.latents, batch.levels)
        target = (batch.luma, batch.chroma)
        loss = decibels(decoded, target, schedule.loss_chroma_weight, schedule.crops_per_picture)
        optimiser.zero_grad(set_to_none=True)
        loss.mean().backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        average.update(model, step)
        state = {
            "step": step + 1,
            "networks": model.state_dict(),
            "average": average.values,
            "optimiser": optimiser.state_dict(),
        }
        checkpoint.save(state)
        if (step + 1) % schedule.validate_every == 0:
            with average.applied(model):
                bar.write(f"{step + 1}: {validate()}")
    checkpoint.save(state, now=True)
    return state
