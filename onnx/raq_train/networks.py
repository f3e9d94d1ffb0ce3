"""Phases that train the networks: without a quantiser, jointly with a table, with the adapter."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from tqdm import tqdm

from .adapter import Adapter
from .checkpoint import Average, Checkpoint
from .config import Config
from .data import Crops, Planes
from .model import BLOCK, LATENT_SCALE, UNQUANTISED_DEPTH, Autoencoder, distortion
from .psnr import mean_psnr
from .table import distortions, fit, nearest


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


class Table(nn.Module):
    """Nested codewords [K_max, D] in pixel units, each free to move."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows = nn.Parameter(rows.clone())

    def forward(self) -> Tensor:
        return self.rows

    def groups(self) -> list[dict]:
        """Parameters of the optimiser: a rate here is a distance, not a share of a unit weight."""
        return [{"params": [self.rows], "scale": 100.0, "weight_decay": 0.0}]


class Emitted(nn.Module):
    """The nested codewords that an integer adapter emits [K_max, D], in pixel units."""

    def __init__(self, adapter: Adapter) -> None:
        super().__init__()
        self.adapter = adapter

    def forward(self) -> Tensor:
        return self.adapter(integer=True) / LATENT_SCALE

    def groups(self) -> list[dict]:
        """Parameters of the optimiser, as in `train_adapter`."""
        small, large = self.adapter.parameter_groups()
        return [
            {"params": small, "scale": 0.5, "weight_decay": 0.0},
            {"params": large, "scale": 150.0, "weight_decay": 0.0},
        ]


class Quantiser(nn.Module):
    """Replaces latents by nested codewords; each picture draws its own size.

    Half of the pictures draw their size log-uniformly from 1..K_max, a quarter from
    `ste_above`..K_max, a quarter uses all codewords. From `ste_above` up the encoder learns too, by
    a straight-through gradient.
    """

    def __init__(
        self, codewords: Table | Emitted, ste_above: int, per_picture: int, seed: int
    ) -> None:
        super().__init__()
        self.codewords = codewords
        with torch.no_grad():
            self.size = len(codewords())
        self.ste_above = ste_above
        self.per_picture = per_picture
        self.random = torch.Generator().manual_seed(seed)

    def draw(self, count: int) -> Tensor:
        """Sizes of pictures [count]."""
        high = math.log2(self.size + 1)
        kind = torch.rand(count, generator=self.random)
        low = torch.where(kind < 0.5, 0.0, math.log2(self.ste_above))
        octave = low + torch.rand(count, generator=self.random) * (high - low)
        octave[kind > 0.75] = high
        return torch.exp2(octave).floor().long().clamp(1, self.size)

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Quantise [N, D, h, w], one size for the crops of a picture.

        Returns codewords, depth [N, 1, h, w], the mean log distortion, which alone trains the table
        (the decoder's gradient drives it away from the latents and both diverge), and the same for
        large sizes as a function of the latents: the commitment, without which the straight-through
        gradient lets the encoder's outputs grow without bound.
        """
        table = self.codewords()
        pictures = latents.split(self.per_picture)
        sizes = self.draw(len(pictures)).tolist()
        found, losses, depths = [], [], []
        commitment = latents.new_zeros(())
        for picture, size in zip(pictures, sizes, strict=True):
            flat = picture.permute(0, 2, 3, 1)
            fixed = flat.detach().flatten(0, 2)
            indices, _ = nearest(fixed, table.detach()[:size], [size])
            rows = table[indices[0]]
            losses.append(torch.log((rows - fixed).pow(2).sum(1).mean() + 1.0))
            chosen = rows.detach().reshape(flat.shape)
            if size >= self.ste_above:
                error = (chosen - flat).pow(2).sum(3).mean()
                commitment = commitment + torch.log(error + 1.0) / len(pictures)
                chosen = chosen + (flat - flat.detach())
            found.append(chosen.permute(0, 3, 1, 2))
            depths.append(torch.full_like(picture[:, :1], math.log2(size)))
        return torch.cat(found), torch.cat(depths), torch.stack(losses).mean(), commitment


def collect_latents(
    model: Autoencoder, crops: Crops, count: int, table: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Latents [count, D] in pixel units from random crops, and the importance of each [count].

    A latent counts by the inverse of its picture's distortion under `table` (a small one is made
    where there is none yet): what PSNR averaged over pictures asks for. Their mean is one.
    """
    device = model.encoder.basis.device
    found = []
    with torch.no_grad():
        for _ in range(math.ceil(count * BLOCK**2 / (crops.batch * crops.crop**2))):
            latents = model.encode(*(t.to(device) for t in crops.next()))
            latents = latents.unflatten(0, (-1, crops.per_picture))
            found.append(latents.permute(0, 1, 3, 4, 2).flatten(1, 3))
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
        "joint": (settings.joint_steps, 0.5),
        "settle": (settings.settle_steps, 0.15),
    }[phase]
    peak = settings.learning_rate * share
    groups = [{"params": [p for p in model.parameters() if p.requires_grad], "scale": 1.0}]
    if quantiser is not None:
        groups += quantiser.codewords.groups()
    optimiser = torch.optim.AdamW(groups, lr=peak, weight_decay=1e-4)
    average = Average(model, settings.weight_average)
    pictures = settings.batch // settings.crops_per_picture
    clean = round(pictures * settings.unquantised_share) * settings.crops_per_picture
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
                latents = torch.cat([rows, latents[:clean]])
                depth = torch.cat([coarse, depth[:clean]])
                target = tuple(torch.cat([t, t[:clean]]) for t in target)
            decoded = model.decode(latents, depth)
        loss = decibels(decoded, target, settings.loss_chroma_weight, crops.per_picture)
        if quantiser is not None:  # both kinds count alike, however few are unquantised
            loss = (loss[:pictures].mean() + loss[pictures:].mean()) / 2
        loss = loss.mean()
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
            state["table"] = quantiser.codewords().detach()
        if phase == "settle":
            state["adapter"] = quantiser.codewords.adapter.state_dict()
        checkpoint.save(state)
        if (step + 1) % 500 == 0:
            with average.applied(model):
                text = f"{phase} {step + 1}: {mean_psnr(model, check):.2f} dB unquantised"
                if quantiser is not None:
                    with torch.no_grad():
                        coded = mean_psnr(model, check, quantiser.codewords())
                    text += f", {coded:.2f} dB with {quantiser.size} codewords"
            bar.write(text)
    return state
