"""The arms of the ladder: what a quantiser does in a step of training, and at a given size."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from vector_quantize_pytorch import FSQ, ResidualVQ, SimVQ

from .generator import Generator
from .quantise import EmaCodebook, Quantised, Restart, draw_size, quantise, together
from .settings import NetworkSettings, RunSettings, TrainSettings

Passes = list[Quantised]
"""Of one step: each is decoded, and all of their losses are added with the weight 1."""


class Arm(nn.Module):
    """A quantiser of vectors [M, D]."""

    def passes(self, rows: Tensor, random: torch.Generator) -> Passes:
        """Quantise as a step of training does."""
        raise NotImplementedError

    def sizes(self, wanted: tuple[int, ...]) -> list[int]:
        """At which of the wanted K̃ it can be measured, or at which others."""
        return list(wanted)

    def codebook(self, size: int) -> Tensor | None:
        """Its codewords for K̃ = `size` [size, D]; none where it is not a single codebook."""
        raise NotImplementedError

    def at(self, rows: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """For arms without a codebook: vectors [M, D] quantised with K̃ = `size`, and the chosen
        indices [M, stages].
        """
        raise NotImplementedError

    def stage_sizes(self, size: int) -> list[int]:
        """How many different indices each stage has at K̃ = `size`."""
        return [size]


class Fixed(Arm):
    """One codebook of K codewords: the base line, trained anew for each K."""

    def __init__(self, run: RunSettings, network: NetworkSettings, train: TrainSettings) -> None:
        super().__init__()
        self.commitment = train.commitment
        self.base = EmaCodebook(run.codewords, network.dim, train.decay, train.restart)

    def passes(self, rows: Tensor, random: torch.Generator) -> Passes:
        self.base.begin(rows)
        made = quantise(rows, self.base.table, self.commitment)
        self.base.follow(rows, made.indices)
        return [made]

    def sizes(self, wanted: tuple[int, ...]) -> list[int]:
        return [len(self.base.table)]

    def codebook(self, size: int) -> Tensor:
        return self.base.table[:size]


class Raq(Fixed):
    """A base codebook and the generator that reads it; every step quantises with both."""

    def __init__(self, run: RunSettings, network: NetworkSettings, train: TrainSettings) -> None:
        super().__init__(run, network, train)
        self.run = run
        self.generator = Generator(
            network.dim,
            run.hidden,
            run.layers,
            run.largest,
            feed=run.feed,
            forcing=run.forcing,
            dropout=run.dropout,
        )

    def passes(self, rows: Tensor, random: torch.Generator) -> Passes:
        own = super().passes(rows, random)
        size = draw_size(self.run.smallest, self.run.largest, self.run.draw, random)
        adapted = self.generator(self.base.table, size)
        return [*own, quantise(rows, adapted, self.commitment)]

    def sizes(self, wanted: tuple[int, ...]) -> list[int]:
        most = self.run.largest if self.run.feed == "code" else max(wanted)
        return [size for size in wanted if size <= most]

    def codebook(self, size: int) -> Tensor:
        return self.generator(self.base.table, size)


class Prefix(Arm):
    """A table learned directly: the codebook for K̃ is its first K̃ rows.

    Every step quantises with the whole of it and with a prefix, so that it costs what RAQ costs.
    """

    def __init__(self, run: RunSettings, network: NetworkSettings, train: TrainSettings) -> None:
        super().__init__()
        self.run, self.commitment, self.restart = run, train.commitment, Restart(train.restart)
        self.table = nn.Parameter(torch.randn(run.largest, network.dim) * 0.1)
        self.register_buffer("use", torch.ones(run.largest))
        self.register_buffer("begun", torch.tensor(train.restart == 0))

    @torch.no_grad()
    def _begin(self, rows: Tensor) -> None:
        if not bool(self.begun):
            self.table.copy_(self.restart.replacements(rows, len(self.table)))
            self.begun.fill_(True)

    @torch.no_grad()
    def _restart(self, rows: Tensor, indices: Tensor) -> None:
        if self.restart.share:
            chosen = torch.bincount(indices, minlength=len(self.table)).float()
            self.use.lerp_(together(chosen), 0.01)
            dead = self.restart.dead(self.use)
            self.table[dead] = self.restart.replacements(rows, int(dead.sum()))
            self.use[dead] = self.use.mean()

    def passes(self, rows: Tensor, random: torch.Generator) -> Passes:
        self._begin(rows)
        size = draw_size(self.run.smallest, self.run.largest, self.run.draw, random)
        whole = quantise(rows, self.table, self.commitment)
        part = quantise(rows, self.table[:size], self.commitment)
        self._restart(rows, whole.indices)
        return [whole, part]

    def sizes(self, wanted: tuple[int, ...]) -> list[int]:
        return [size for size in wanted if size <= self.run.largest]

    def codebook(self, size: int) -> Tensor:
        return self.table[:size]


class SimVqPrefix(Arm):
    """A prefix table that is a learned linear map of a frozen random one (SimVQ, arXiv 2411.02038):
    all codewords move together, as the generator's do.
    """

    def __init__(self, run: RunSettings, network: NetworkSettings, train: TrainSettings) -> None:
        super().__init__()
        self.run, self.commitment = run, train.commitment
        self.simvq = SimVQ(dim=network.dim, codebook_size=run.largest, rotation_trick=False)

    def passes(self, rows: Tensor, random: torch.Generator) -> Passes:
        table = self.simvq.codebook
        size = draw_size(self.run.smallest, self.run.largest, self.run.draw, random)
        return [quantise(rows, part, self.commitment) for part in (table, table[:size])]

    def sizes(self, wanted: tuple[int, ...]) -> list[int]:
        return [size for size in wanted if size <= self.run.largest]

    def codebook(self, size: int) -> Tensor:
        return self.simvq.codebook[:size]


class Residual(Arm):
    """Several codebooks one after the other, each on what the one before left; in training a random
    number of the last ones is dropped (SoundStream). K̃ is the product of the sizes.
    """

    def __init__(self, run: RunSettings, network: NetworkSettings, train: TrainSettings) -> None:
        super().__init__()
        self.stages = run.stages
        self.quantiser = ResidualVQ(
            dim=network.dim,
            num_quantizers=len(run.stages),
            codebook_size=run.stages,
            decay=train.decay,
            commitment_weight=train.commitment,
            kmeans_init=train.restart > 0,
            threshold_ema_dead_code=1 if train.restart > 0 else 0,
            quantize_dropout=len(run.stages) > 1,
            rotation_trick=False,
        )

    def passes(self, rows: Tensor, random: torch.Generator) -> Passes:
        whole, indices, losses = self.quantiser(rows[None])
        return [Quantised(whole[0], indices[0], losses.sum())]

    def sizes(self, wanted: tuple[int, ...]) -> list[int]:
        product, sizes = 1, []
        for stage in self.stages:
            product *= stage
            sizes.append(product)
        return sizes

    def codebook(self, size: int) -> None:
        return None

    @torch.no_grad()
    def at(self, rows: Tensor, size: int) -> tuple[Tensor, Tensor]:
        indices = self.quantiser(rows[None])[1][0]
        used = self.sizes(()).index(size) + 1
        kept = torch.full_like(indices, -1)
        kept[:, :used] = indices[:, :used]
        return self.quantiser.get_output_from_indices(kept[None])[0], indices[:, :used]

    def stage_sizes(self, size: int) -> list[int]:
        return list(self.stages[: self.sizes(()).index(size) + 1])


class Scalar(Arm):
    """Finite scalar quantisation (FSQ, arXiv 2309.15505): a few bounded numbers, each rounded. K is
    the product of the levels, fixed for a model.
    """

    def __init__(self, run: RunSettings, network: NetworkSettings, train: TrainSettings) -> None:
        super().__init__()
        self.quantiser = FSQ(levels=list(run.levels), dim=network.dim)

    def passes(self, rows: Tensor, random: torch.Generator) -> Passes:
        made, indices = self.quantiser(rows[None])
        return [Quantised(made[0], indices[0], rows.new_zeros(()))]

    def sizes(self, wanted: tuple[int, ...]) -> list[int]:
        return [self.quantiser.codebook_size]

    def codebook(self, size: int) -> None:
        return None

    @torch.no_grad()
    def at(self, rows: Tensor, size: int) -> tuple[Tensor, Tensor]:
        made, indices = self.quantiser(rows[None])
        return made[0], indices[0][:, None]


KINDS: dict[str, Callable[[RunSettings, NetworkSettings, TrainSettings], Arm]] = {
    "fixed": Fixed,
    "raq": Raq,
    "prefix": Prefix,
    "simvq": SimVqPrefix,
    "residual": Residual,
    "fsq": Scalar,
}


def build(run: RunSettings, network: NetworkSettings, train: TrainSettings) -> Arm:
    """The arm of a run."""
    return KINDS[run.arm](run, network, train)
