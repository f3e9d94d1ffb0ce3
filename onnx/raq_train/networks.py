"""Phases that train the networks: without a quantiser, jointly with a table, decoder alone."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from tqdm import tqdm

from .checkpoint import Average, Checkpoint
from .config import Config
from .data import Crops, Planes
from .model import UNQUANTISED_DEPTH, Autoencoder, distortion
from .psnr import unquantised_psnr
from .table import nearest


def learning_rate(step: int, total: int, peak: float, warmup: int) -> float:
    """Linear warm-up, then half a cosine down to a hundredth of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, total - warmup)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def decibels(planes: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor], weight: float) -> Tensor:
    """Log distortion per picture [N]: in this measure every rate pulls equally hard."""
    return torch.log(distortion(planes, target, weight) + 0.1)


class Quantiser(nn.Module):
    """A table of nested codewords [K_max, D] in pixel units; each picture draws its own size.

    Sizes are log-uniform over 1..K_max, for half of the pictures over `ste_above`..K_max: those
    also teach the encoder, by a straight-through gradient.
    """

    def __init__(self, table: Tensor, ste_above: int, seed: int) -> None:
        super().__init__()
        self.table = nn.Parameter(table.clone())
        self.ste_above = ste_above
        self.random = torch.Generator().manual_seed(seed)

    def draw(self, count: int) -> Tensor:
        """Sizes [count]; the second half of them is large."""
        low = torch.zeros(count)
        low[count // 2 :] = math.log2(self.ste_above)
        high = math.log2(len(self.table) + 1)
        octave = low + torch.rand(count, generator=self.random) * (high - low)
        return torch.exp2(octave).floor().long().clamp(1, len(self.table))

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantise [N, D, h, w], one size per picture.

        Returns codewords, depth [N, 1, h, w] and the mean log distortion, which trains the table.
        """
        count, dim, height, width = latents.shape
        sizes = self.draw(count)
        found, losses = [], []
        for n in range(count):
            flat = latents[n].detach().float().reshape(dim, -1).T
            size = int(sizes[n])
            indices, _ = nearest(flat, self.table.detach()[:size], [size])
            rows = self.table[indices[0]]
            losses.append(torch.log((rows - flat).pow(2).sum(1).mean() + 1.0))
            rows = rows.detach().T.reshape(dim, height, width)
            if size >= self.ste_above:
                rows = latents[n] + (rows - latents[n]).detach()
            found.append(rows)
        depth = sizes.to(latents.device).float().log2()[:, None, None, None]
        return torch.stack(found), depth.expand(-1, 1, height, width), torch.stack(losses).mean()


def collect_latents(model: Autoencoder, crops: Crops, count: int, device: torch.device) -> Tensor:
    """Latents [count, D] in pixel units from random crops."""
    found, total = [], 0
    with torch.no_grad():
        while total < count:
            latents = model.encode(*(t.to(device) for t in crops.next()))
            found.append(latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1]))
            total += len(found[-1])
    rows = torch.cat(found)
    return rows[torch.randperm(len(rows))[:count]].contiguous()


def train_networks(
    config: Config,
    phase: str,
    model: Autoencoder,
    quantiser: Quantiser | None,
    crops: Crops,
    check: list[Planes],
    checkpoint: Checkpoint,
    state: dict,
) -> dict:
    """Run (or resume) one phase; returns the state with the trained and the averaged weights."""
    settings = config.train
    device = model.encoder.basis.device
    total = settings.autoencoder_steps + settings.joint_steps
    offset, steps, peak = {
        "autoencoder": (0, settings.autoencoder_steps, settings.learning_rate),
        "joint": (settings.autoencoder_steps, settings.joint_steps, settings.learning_rate),
        "decoder": (0, settings.decoder_steps, settings.learning_rate * 0.15),
    }[phase]
    if phase == "decoder":
        total = steps
        model.encoder.requires_grad_(False)
        quantiser.requires_grad_(False)
    groups = [{"params": [p for p in model.parameters() if p.requires_grad], "scale": 1.0}]
    if phase == "joint":
        # The table lives in pixel units: its rate is a distance, not a share of a unit weight.
        groups.append({"params": list(quantiser.parameters()), "scale": 100.0, "weight_decay": 0.0})
    optimiser = torch.optim.AdamW(groups, lr=peak, weight_decay=1e-4)
    average = Average(model, settings.weight_average)
    first = state.get("step", 0)
    if first and "optimiser" in state:
        optimiser.load_state_dict(state["optimiser"])
        average.values = state["average"]
    bar = tqdm(range(first, steps), phase, mininterval=5)
    for step in bar:
        rate = learning_rate(offset + step, total, peak, settings.warmup_steps)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        target = tuple(t.to(device) for t in crops.next())
        with torch.autocast(device.type, torch.bfloat16):
            latents = model.encode(*target)
            depth = torch.full_like(latents[:, :1], UNQUANTISED_DEPTH)
            extra = latents.new_zeros(())
            if quantiser is not None:
                with torch.autocast(device.type, enabled=False):
                    rows, coarse, extra = quantiser(latents.float())
                latents = torch.cat([latents, rows])
                depth = torch.cat([depth, coarse])
                target = tuple(torch.cat([t, t]) for t in target)
            decoded = model.decode(latents, depth)
        loss = decibels(decoded, target, settings.chroma_weight).mean()
        optimiser.zero_grad(set_to_none=True)
        (loss + extra).backward()
        nn.utils.clip_grad_norm_(groups[0]["params"], 1.0)
        optimiser.step()
        average.update(model, step)
        state = {
            "phase": phase,
            "step": step + 1,
            "networks": model.state_dict(),
            "average": average.values,
            "optimiser": optimiser.state_dict(),
        }
        if quantiser is not None:
            state["table"] = quantiser.table.detach()
        checkpoint.save(state)
        if (step + 1) % 500 == 0:
            with average.applied(model):
                db = unquantised_psnr(model, check)
            text = f"{phase} {step + 1}: loss {loss.item():.3f}, unquantised {db:.2f} dB"
            if quantiser is not None:
                text += f", table {extra.item():.3f}"
            bar.write(text)
    return state
