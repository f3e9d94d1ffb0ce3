"""The paper's Seq2Seq: from the base codebook to one of any size (arXiv 2405.14222, eqs. 3 and 4).

Two LSTMs of two layers, no attention: the first reads the K base codewords in their order, the
second goes on from its final state and emits K̃ codewords, its states themselves. With
cross-forcing, every second step up to 2K is fed an original codeword. It never sees K̃ and is
causal, so a codebook is a prefix of any larger one.

What a step is fed that is not forced: the paper says, the codeword emitted last; the authors' code
feeds a learned row of its own for each step, so that all inputs are known beforehand and nothing
beyond the largest K̃ of the training can be made.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .unrolled import Layer, unroll


class Generator(nn.Module):
    """A codebook [K, D] to one of K̃ rows.

    `largest` is the most rows where `feed` is `code`; `dropout` goes with it alone. Where `hidden`
    is not D, linear maps stand at both ends of the LSTMs, which the paper does not have.
    """

    def __init__(
        self,
        dim: int,
        hidden: int,
        layers: int,
        largest: int,
        *,
        feed: str = "paper",
        forcing: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.feed, self.forcing, self.layers = feed, forcing, layers
        self.dropout = nn.Dropout(dropout)
        between = dropout if layers > 1 else 0.0
        self.enter = nn.Identity() if hidden == dim else nn.Linear(dim, hidden)
        self.leave = nn.Identity() if hidden == dim else nn.Linear(hidden, dim)
        self.reader = nn.LSTM(hidden, hidden, layers, dropout=between)
        self.writer = nn.LSTM(hidden, hidden, layers, dropout=between)
        rows = largest if feed == "code" else 1
        self.queries = nn.Parameter(torch.randn(rows, dim) * 0.1)

    def forward(self, base: Tensor, size: int) -> Tensor:
        """Base codewords [K, D] to `size` adapted ones [size, D].

        Raises ValueError where `size` is beyond what the rows of `feed = code` reach.
        """
        if self.feed == "code" and size > len(self.queries):
            raise ValueError(f"{size} codewords are more than the {len(self.queries)} learned rows")
        _, state = self.reader(self.dropout(self.enter(base)))
        if self.feed == "code":
            inputs = self.dropout(self.enter(self._known_inputs(base, size)))
            return self.leave(self.writer(inputs, state)[0])
        return self._step_by_step(base, size, state)

    def _known_inputs(self, base: Tensor, size: int) -> Tensor:
        """Row t of the learned ones, or after an even t below 2K the original codeword t / 2."""
        inputs = self.queries[:size]
        if not self.forcing:
            return inputs
        inputs = inputs.clone()
        forced = torch.arange(1, min(size, 2 * len(base)), 2)
        inputs[forced] = base[(forced - 1) // 2]
        return inputs

    def _step_by_step(self, base: Tensor, size: int, state: tuple[Tensor, Tensor]) -> Tensor:
        """Each step is fed what the one before emitted, where it is not forced."""
        steps = torch.arange(size, device=base.device)
        # The paper counts from 1: odd steps up to 2K take an original codeword.
        forced = (steps % 2 == 0) & (steps < 2 * len(base)) & self.forcing
        if self.forcing:
            given = base[(steps // 2).clamp(max=len(base) - 1)]
        else:
            given = self.queries[:1].expand(size, -1)
        return unroll(forced, given, state, *self._folded())

    def _folded(self) -> tuple[list[Layer], Tensor, Tensor]:
        """The writer's layers with the map at their entrance in the first one, and the map at the
        end.
        """
        writer = self.writer
        layers: list[Layer] = []
        for n in range(self.layers):
            weight, recurrent = (getattr(writer, f"weight_{k}_l{n}") for k in ("ih", "hh"))
            bias = getattr(writer, f"bias_ih_l{n}") + getattr(writer, f"bias_hh_l{n}")
            if n == 0 and isinstance(self.enter, nn.Linear):
                bias = bias + weight @ self.enter.bias
                weight = weight @ self.enter.weight
            layers.append((weight, recurrent, bias))
        if isinstance(self.leave, nn.Linear):
            return layers, self.leave.weight, self.leave.bias
        unit = torch.eye(writer.hidden_size, device=self.queries.device)
        return layers, unit, unit.new_zeros(len(unit))
