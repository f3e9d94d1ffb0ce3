"""What survives an interrupted run: a checkpoint file and the averaged weights."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn


class Checkpoint:
    """The state of a run in one file, replaced atomically; its folder is made."""

    def __init__(self, path: Path, seconds: float) -> None:
        self.path, self.seconds, self.written = path, seconds, time.monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)

    def load(self) -> dict:
        """The saved state; empty where the run has not begun."""
        if not self.path.exists():
            return {}
        return torch.load(self.path, map_location="cpu", weights_only=True)

    def save(self, state: dict, now: bool = False) -> None:
        """Write `state` if the last write is long enough ago, or `now`."""
        if now or time.monotonic() - self.written > self.seconds:
            partial = self.path.with_suffix(".tmp")
            torch.save(state, partial)
            partial.replace(self.path)
            self.written = time.monotonic()


class Average:
    """Exponential moving average of the weights, which is what gets exported."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the current weights; faster in the first steps."""
        decay = min(self.decay, (step + 1) / (step + 10))
        for key, value in model.state_dict().items():
            self.values[key].lerp_(value, 1 - decay)

    @contextlib.contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """The model with averaged weights inside the block, its own again after it."""
        own = {k: v.clone() for k, v in model.state_dict().items()}
        model.load_state_dict(self.values)
        yield
        model.load_state_dict(own)
