"""Train one run: `python -m raq_train.paper.train --config configs/paper/cifar10.toml --name NAME`.

Below the output folder, `RUN-SEED.pt` is the state, from which an interrupted run goes on to the
same end: the pictures of a step depend on the seed and the step alone. With `torchrun` before it,
the batch is divided among processes (gloo on CPUs, nccl on GPUs).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from ..checkpoint import Checkpoint
from ..data import data_root
from . import images, settings
from .network import Network
from .settings import Experiment, RunSettings


class TrainingError(Exception):
    """Why a run cannot go on, with the cure, in a line."""


@dataclass(frozen=True)
class Place:
    """Where this process stands among those that share a run."""

    rank: int
    count: int
    device: torch.device

    @classmethod
    def find(cls, device: str) -> Place:
        """As torchrun says; alone without it."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        rank = int(os.environ.get("RANK", "0"))
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cuda" and count > 1:
            device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        if count > 1:
            backend = "nccl" if device.startswith("cuda") else "gloo"
            distributed.init_process_group(backend)
        return cls(rank, count, torch.device(device))

    def barrier(self) -> None:
        """Waits for the others."""
        if self.count > 1:
            distributed.barrier()


def step_random(seed: int, step: int) -> torch.Generator:
    """Randomness of one step, the same in all processes and after any interruption."""
    return torch.Generator().manual_seed(seed * 1_000_003 + step)


def batch_of(pictures: images.Images, batch: int, random: torch.Generator, place: Place) -> Tensor:
    """This process's part of the pictures of a step, f32 on its device."""
    drawn = torch.randint(len(pictures), (batch,), generator=random)
    part = drawn[place.rank :: place.count]
    return images.to_float(pictures.batch(part).to(place.device))


def load_state(checkpoint: Checkpoint, identity: dict) -> dict:
    """The saved state. Raises TrainingError where it is of another configuration or unreadable."""
    try:
        state = checkpoint.load()
    except Exception as error:
        raise TrainingError(
            f"cannot read {checkpoint.path}: {str(error).splitlines()[0]}; remove it to begin anew"
        ) from error
    if not state:
        return {}
    saved = json.loads(state.get("identity", "null"))
    if saved != identity:
        keys = sorted(k for k in identity if not saved or saved.get(k) != identity[k])
        raise TrainingError(
            f"{checkpoint.path} was made with another configuration ({', '.join(keys)}); give "
            "another --out or remove it"
        )
    return state


def train(
    experiment: Experiment,
    run: RunSettings,
    seed: int,
    pictures: images.Images,
    out: Path,
    place: Place,
    steps: int | None = None,
) -> Network:
    """Train a run to its end, or to `steps`, and give the network.

    Raises TrainingError where the loss is no number any more or a checkpoint does not fit.
    """
    wanted = experiment.train
    last = min(steps or wanted.steps, wanted.steps)
    checkpoint = Checkpoint(out / f"{run.name}-{seed}.pt", wanted.checkpoint_seconds)
    identity = experiment.identity(run) | {"seed": seed}
    state = load_state(checkpoint, identity)
    torch.manual_seed(seed)
    network = Network(experiment, run).to(place.device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=wanted.learning_rate)
    first, seconds = state.get("step", 0), state.get("seconds", 0.0)
    if state:
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
    whole: nn.Module = network
    if place.count > 1:
        whole = DistributedDataParallel(network, broadcast_buffers=False)
    network.train()
    bar = tqdm(range(first, last), f"{run.name}-{seed}", mininterval=5, disable=place.rank > 0)
    began, smooth = time.monotonic() - seconds, None

    def save(step: int, now: bool) -> None:
        if place.rank == 0:
            held = {
                "identity": json.dumps(identity),
                "step": step,
                "seconds": time.monotonic() - began,
                "network": network.state_dict(),
                "optimiser": optimiser.state_dict(),
            }
            checkpoint.save(held, now)

    for step in bar:
        random = step_random(seed, step)
        batch = batch_of(pictures, wanted.batch, random, place)
        # What quantisers draw by themselves goes on alike after an interruption, too.
        torch.manual_seed(seed * 1_000_003 + step)
        loss = whole(batch, random)
        value = loss.item()
        smooth = value if smooth is None else 0.98 * smooth + 0.02 * value
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        # Looked at before the step: a checkpoint never holds weights that are no numbers.
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        if not math.isfinite(value) or not nn.utils.get_total_norm(gradients).isfinite():
            raise TrainingError(
                f"the loss of {run.name} is {value} at step {step}, or its gradient is no number; "
                f"{checkpoint.path} is from before that: lower [train] learning_rate and begin anew"
            )
        optimiser.step()
        save(step + 1, now=step + 1 == last)
        if step % 50 == 0:
            bar.set_postfix_str(f"loss {smooth:.5f}")
    network.eval()
    return network


def explained(error: Exception) -> str | None:
    """One line for what users can mend; none for what is our fault."""
    if isinstance(error, (TrainingError, ValueError)):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {error.strerror or error}; look after it"
    text = str(error)
    if isinstance(error, torch.OutOfMemoryError) or ("memory" in text and "allocate" in text):
        return "memory is used up; lower [train] batch, [network] channels or [run] largest"
    return None


def arguments(description: str) -> argparse.ArgumentParser:
    """What all commands here take."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--config", type=Path, required=True, help="an experiment")
    parser.add_argument("--out", type=Path, required=True, help="folder of its runs")
    parser.add_argument("--data", type=Path, default=data_root(), help="the data's root")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, default=0, help="of the processor, 0 for all")
    return parser


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--name", required=True, help="its name in the configuration")
    parser.add_argument("--seed", type=int, help="one of its seeds, by default the first")
    parser.add_argument("--steps", type=int, help="stop after this many of the steps")
    options = parser.parse_args()
    try:
        if options.threads:
            torch.set_num_threads(options.threads)
        experiment = settings.load(options.config)
        run = experiment.run(options.name)
        seed = experiment.train.seeds[0] if options.seed is None else options.seed
        place = Place.find(options.device)
        pictures, _ = images.load(experiment.data, options.data)
        train(experiment, run, seed, pictures, options.out, place, options.steps)
    except Exception as error:
        text = explained(error)
        if text is None:
            raise
        sys.exit(f"error: {text}")
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


if __name__ == "__main__":
    main()
