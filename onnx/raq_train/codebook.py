"""Train an adapter on fixed vectors: imitate a nested table, then lower the distortion itself.

Vectors are what the codewords of one codebook stand for: latents, or blocks of them side by side.

The last steps run the adapter's exact integer arithmetic, so the codebook that is trained is the
codebook that is emitted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from .adapter import Adapter
from .checkpoint import Checkpoint
from .config import AdapterConfig, CodebookConfig
from .places import by_nearest, by_parents
from .table import distortions, nearest

REPORTED = [2, 4, 16, 64, 256, 1024, 2048, 4096]
"""Codebook sizes that distortions are printed for."""

GAP_SIZES = [16, 64, 256, 1024, 2048, 4096]
"""Codebook sizes that a generated codebook is compared with a learned table at."""


@dataclass(frozen=True)
class Vectors:
    """Vectors to quantise, in grid units: to learn from, and held out; importance averages one."""

    rows: Tensor
    """[M, D]"""
    importance: Tensor
    """[M]"""
    held: Tensor
    """[H, D]"""
    held_importance: Tensor
    """[H]"""

    def to(self, device: torch.device) -> Vectors:
        """The same on `device`."""
        return Vectors(*(t.to(device) for t in vars(self).values()))


def relative_db(
    latents: Tensor, importance: Tensor, table: Tensor, levels: list[int]
) -> list[float]:
    """Weighted distortion relative to the weighted variance, in dB; lower is better."""
    share = importance / importance.sum()
    mean = share @ latents
    variance = (share @ (latents - mean).pow(2).sum(1)).item()
    return [10 * math.log10(d / variance) for d in distortions(latents, table, levels, share)]


def gap_db(vectors: Vectors, codebook: Tensor, table: Tensor) -> dict[int, float]:
    """How far `codebook` [K_max, D] is behind `table` [K_max, D] on held vectors, in dB by size."""
    sizes = sorted({size for size in GAP_SIZES if size < len(codebook)} | {len(codebook)})
    ours, learned = (
        relative_db(vectors.held, vectors.held_importance, rows, sizes)
        for rows in (codebook, table)
    )
    return {size: a - b for size, a, b in zip(sizes, ours, learned, strict=True)}


def start_adapter(config: CodebookConfig, table: Tensor, latents: Tensor) -> Adapter:
    """An adapter whose forced steps are already fed the table's own rows."""
    empty = torch.zeros(config.base_codewords, table.shape[1])
    adapter = Adapter(empty, config.max_codewords, config.hidden, config.chains)
    places = by_parents(table, config.base_codewords, config.chains)
    forced = adapter.forced.reshape(-1).bool()
    with torch.no_grad():
        adapter.base.copy_(table[places][forced])
        adapter.order.copy_(places.argsort())
    adapter.set_range(latents)
    return adapter


@torch.no_grad()
def continue_adapter(config: CodebookConfig, table: Tensor, weights: dict[str, Tensor]) -> Adapter:
    """A trained adapter, whose steps go over to the rows of another table that are near."""
    adapter = restore_adapter(config, weights)
    adapter.order.copy_(torch.arange(adapter.codewords))
    adapter.order.copy_(by_nearest(table, adapter(integer=True)).argsort())
    return adapter


def restore_adapter(config: CodebookConfig, weights: dict[str, Tensor]) -> Adapter:
    """The adapter whose state was saved. Raises RuntimeError where its sizes are others."""
    empty = torch.zeros(config.base_codewords, config.dims)
    adapter = Adapter(empty, config.max_codewords, config.hidden, config.chains)
    adapter.load_state_dict(weights)
    return adapter


def _groups(
    latents: Tensor, importance: Tensor, count: int, largest: int, random: torch.Generator
) -> Iterator[tuple[Tensor, Tensor, int]]:
    """Batches of latents and importance, each with a size drawn log-uniformly from 1..largest."""
    while True:
        size = int(2 ** (torch.rand((), generator=random) * math.log2(largest + 1)))
        pick = torch.randint(len(latents), (count,), generator=random)
        yield latents[pick], importance[pick], min(size, largest)


def log_distortion(codebook: Tensor, latents: Tensor, importance: Tensor, size: int) -> Tensor:
    """Log of the mean squared distance to the first `size` codewords; gradient to the codebook."""
    indices, _ = nearest(latents, codebook.detach()[:size], [size])
    errors = (codebook[indices[0]] - latents).pow(2).sum(1)
    return torch.log((importance * errors).mean() + 1.0)


def train_adapter(
    config: AdapterConfig,
    adapter: Adapter,
    vectors: Vectors,
    checkpoint: Checkpoint,
    state: dict,
    seed: int,
) -> dict:
    """Imitate the state's `table`, then lower the distortion of `vectors`; float, then integer.

    `adapter` is that of the state. `weights` [K_max] of it says how much each row of the table
    matters. Adds what a resumed run needs to the state, which is saved as often as the checkpoint
    wants.
    """
    device = adapter.base.device
    vectors = vectors.to(device)
    table, weights = state["table"].to(device), state["weights"].to(device)
    first = state.get("adapter_step", 0)
    random = torch.Generator().manual_seed(seed + first)
    batches = _groups(
        vectors.rows, vectors.importance, config.batch // 8, adapter.codewords, random
    )
    small, large = adapter.parameter_groups()
    optimiser = torch.optim.Adam(
        [
            {"params": small, "scale": 1.0},
            {"params": large, "scale": 300.0},
        ],
        betas=(0.9, 0.98),
    )
    floats = config.distil_steps + config.float_steps
    total = floats + config.integer_steps
    if first:
        optimiser.load_state_dict(state["adapter_optimiser"])
    bar = tqdm(range(first, total), "adapter", mininterval=5)
    for step in bar:
        integer = step >= floats
        if step == floats:
            adapter.calibrate()
        warm = min(1.0, (step + 1) / 100)
        decay = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / total))
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * warm * decay * group["scale"]
        codebook = adapter(integer)
        miss = (weights * (codebook - table).pow(2).sum(1)).sum()
        if config.imitate or step < config.distil_steps:
            loss = miss
        else:
            losses = [log_distortion(codebook, *next(batches)) for _ in range(8)]
            part, share, _ = next(batches)
            own = log_distortion(adapter.base, part, share, len(adapter.base))
            loss = torch.stack(losses).mean() + 0.05 * own + 0.05 * miss
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(small, 1.0)
        optimiser.step()
        state = {
            **state,
            "adapter_step": step + 1,
            "adapter": adapter.state_dict(),
            "adapter_optimiser": optimiser.state_dict(),
        }
        checkpoint.save(state)
        if (step + 1) % 250 == 0:
            levels = [level for level in REPORTED if level <= adapter.codewords]
            rows = codebook.detach()
            values = relative_db(vectors.held, vectors.held_importance, rows, levels)
            text = "  ".join(f"{k}: {v:.2f}" for k, v in zip(levels, values, strict=True))
            bar.write(f"{step + 1} {'integer' if integer else 'float'} {loss.item():.3f}  {text}")
    return state
