"""Phases that train the networks: without a quantiser, jointly with a table, with the codebook."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from tqdm import tqdm

from .checkpoint import Average, Checkpoint
from .config import Config
from .data import Crops, Planes
from .model import BLOCK, UNQUANTISED_DEPTH, Autoencoder, distortion
from .psnr import mean_psnr
from .table import distortions, fit, nearest


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

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Quantise [N, D, h, w], one size per picture.

        Returns codewords, depth [N, 1, h, w], the mean log distortion, which trains the table, and
        the same for large sizes as a function of the latents: the commitment, without which the
        straight-through gradient lets the encoder's outputs grow without bound.
        """
        count, dim, height, width = latents.shape
        sizes = self.draw(count)
        found, losses = [], []
        commitment = latents.new_zeros(())
        for n in range(count):
            flat = latents[n].reshape(dim, -1).T
            fixed = flat.detach()
            size = int(sizes[n])
            indices, _ = nearest(fixed, self.table.detach()[:size], [size])
            rows = self.table[indices[0]]
            losses.append(torch.log((rows - fixed).pow(2).sum(1).mean() + 1.0))
            chosen = rows.detach()
            if size >= self.ste_above:
                error = (chosen - flat).pow(2).sum(1).mean()
                commitment = commitment + torch.log(error + 1.0) / count
                chosen = flat + (chosen - fixed)
            found.append(chosen.T.reshape(dim, height, width))
        depth = sizes.to(latents.device).float().log2()[:, None, None, None]
        depth = depth.expand(-1, 1, height, width)
        return torch.stack(found), depth, torch.stack(losses).mean(), commitment


def collect_latents(
    model: Autoencoder, crops: Crops, count: int, table: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Latents [count, D] in pixel units from random crops, and the importance of each [count].

    A latent counts by the inverse of its crop's distortion under `table` (a small one is made where
    there is none yet): what PSNR averaged over pictures asks for. The mean importance is one.
    """
    device = model.encoder.basis.device
    found = []
    with torch.no_grad():
        for _ in range(math.ceil(count * BLOCK**2 / (crops.batch * crops.crop**2))):
            latents = model.encode(*(t.to(device) for t in crops.next()))
            found.append(latents.permute(0, 2, 3, 1).flatten(1, 2))
    pictures = torch.cat(found)
    rows = pictures.flatten(0, 1)
    order = torch.randperm(len(rows))[:count]
    if table is None:
        part = rows[order[:20_000]]
        table, _ = fit(part, torch.ones_like(part[:, 0]), 64, [64], 3)
    errors = torch.tensor([distortions(one, table, [len(table)])[0] for one in pictures])
    importance = (1 / (errors + 1.0)).repeat_interleave(pictures.shape[1])[order]
    return rows[order].contiguous(), importance / importance.mean()


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
    steps, share = {
        "autoencoder": (settings.autoencoder_steps, 1.0),
        "joint": (settings.joint_steps, 0.7),
        "settle": (settings.settle_steps, 0.15),
    }[phase]
    peak = settings.learning_rate * share
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
        rate = learning_rate(step, steps, peak, settings.warmup_steps)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        target = tuple(t.to(device) for t in crops.next())
        with torch.autocast(device.type, torch.bfloat16):
            latents = model.encode(*target)
            depth = torch.full_like(latents[:, :1], UNQUANTISED_DEPTH)
            extra = latents.new_zeros(())
            if quantiser is not None:
                with torch.autocast(device.type, enabled=False):
                    rows, coarse, extra, commitment = quantiser(latents.float())
                    extra = extra + settings.commitment * commitment
                latents = torch.cat([latents, rows])
                depth = torch.cat([depth, coarse])
                target = tuple(torch.cat([t, t]) for t in target)
            decoded = model.decode(latents, depth)
        loss = decibels(decoded, target, settings.loss_chroma_weight).mean()
        optimiser.zero_grad(set_to_none=True)
        (loss + extra).backward()
        nn.utils.clip_grad_norm_(groups[0]["params"], 1.0)
        optimiser.step()
        average.update(model, step)
        state = {
            **state,
            "phase": phase,
            "step": step + 1,
            "networks": model.state_dict(),
            "average": average.values,
            "optimiser": optimiser.state_dict(),
        }
        if phase == "joint":
            state["table"] = quantiser.table.detach()
        checkpoint.save(state)
        if (step + 1) % 500 == 0:
            with average.applied(model):
                text = f"{phase} {step + 1}: {mean_psnr(model, check):.2f} dB unquantised"
                if quantiser is not None:
                    coded = mean_psnr(model, check, quantiser.table.detach())
                    text += f", {coded:.2f} dB with {len(quantiser.table)} codewords"
            bar.write(text)
    return state
