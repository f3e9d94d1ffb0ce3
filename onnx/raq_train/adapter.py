"""The RAQ adapter: a Seq2Seq LSTM that generates a codebook of any size from the base codebook.

After Rate-Adaptive Quantization (arXiv 2405.14222): an LSTM encoder reads the base codebook e, an
LSTM decoder emits the adapted codewords; with cross-forcing, every second step up to 2K is fed an
original codeword, every other step its own previous output. It never sees the size asked for and
is causal, so the codebook for K̃ is the first K̃ rows.

Four things differ from the paper. The sequence is cut into `chains` interleaved ones that run side
by side with the same weights (codeword i is emitted by chain i mod chains at step i // chains): a
batch instead of a long recurrence. The previous output that a step is fed is that of its parent,
the codeword in a neighbouring chain at the step's number without its leading bit; the table that
the adapter learns from is ordered so that parent and child are alike, and what the LSTM emits is
the difference. Each step sees a fixed encoding of its index, computed, not learned. And at the end
the rows are put in an order of their own, `order`: what is emitted early is what others build on,
what stands first are the rows that make the best small codebooks.

The forward pass is exact integer arithmetic in float tensors (every partial sum stays below 2^24),
so any machine, thread count or summation order gives the same codebook. Gradients pass straight
through the roundings. With `integer=False` the same weights run without rounding, to learn faster.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

BYTE = 127
"""Largest magnitude of inputs, states and weights: they are signed bytes."""

UNIT_BITS = 7
"""A state of one is 2^7 (saturated to 127)."""

LUT_STEP = 64
"""Look-up entries per unit of a gate's argument; the tables span -8..8."""

LUT_SIZE = 1024
CELL_LUT_SIZE = 2048
GATE_BITS = 10
"""Gate values and cell states carry 10 fractional bits."""

CELL_LIMIT = 8191
CODEWORD_LIMIT = 8191
"""Largest magnitude of a codeword's coordinate, in grid units."""

ENCODING = 64
"""Inputs of the step encoding: a constant, 12 bits of the index, and triangle waves."""

ENCODING_PEAK = 64

OUTPUT_ONE = 64
"""The byte that stands for an output weight of one."""

SUM_LIMIT = 2**24
"""Integers below it are exact in float32, and so are sums that never reach it, in any order."""


def wave_parameters() -> tuple[list[int], list[int]]:
    """Frequencies and phases of the triangle waves, by a fixed recurrence, both below 4096."""
    frequencies, phases, state = [], [], 1
    for _ in range(ENCODING - 13):
        state = (state * 1103515245 + 12345) % 2**31
        frequencies.append((state >> 16) % 2048 * 2 + 1)
        state = (state * 1103515245 + 12345) % 2**31
        phases.append((state >> 16) % 4096)
    return frequencies, phases


def step_encoding(count: int) -> Tensor:
    """The computed encoding of indices 0..count-1 (count <= 4096): [count, ENCODING], integers."""
    index = torch.arange(count, dtype=torch.float64)[:, None]
    bits = torch.floor(index / 2.0 ** torch.arange(12)) % 2
    frequencies, phases = (torch.tensor(v, dtype=torch.float64) for v in wave_parameters())
    saw = (index * frequencies + phases) % 4096
    waves = torch.floor((saw - 2048).abs() / 16) - ENCODING_PEAK
    constant = torch.full((count, 1), ENCODING_PEAK)
    return torch.cat([constant, (2 * bits - 1) * ENCODING_PEAK, waves], 1).float()


def gate_tables() -> tuple[Tensor, Tensor, Tensor]:
    """Sigmoid and tanh of a gate's argument and tanh of a cell state, with GATE_BITS bits."""
    z = (torch.arange(LUT_SIZE, dtype=torch.float64) - LUT_SIZE / 2 + 0.5) / LUT_STEP
    c = (torch.arange(CELL_LUT_SIZE, dtype=torch.float64) - CELL_LUT_SIZE / 2 + 0.5) * 8
    one = 2.0**GATE_BITS
    tables = (torch.sigmoid(z), torch.tanh(z), torch.tanh(c / one))
    return tuple((t * one).round().float() for t in tables)


class _Round(torch.autograd.Function):
    """Round half up and clamp; the gradient passes inside the clamp."""

    @staticmethod
    def forward(ctx, x: Tensor, limit: float) -> Tensor:
        ctx.save_for_backward(x.abs() <= limit)
        return torch.floor(x + 0.5).clamp_(-limit, limit)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        (inside,) = ctx.saved_tensors
        return gradient * inside, None


class _IntegerCell(torch.autograd.Function):
    """Gate sums to the next state, all integers. Gradients are those of the float cell."""

    @staticmethod
    def forward(ctx, sums: Tensor, scale: Tensor, cell: Tensor, tables) -> tuple[Tensor, Tensor]:
        sigmoid, tanh, cell_tanh = tables
        hidden = cell.shape[1]
        index = torch.floor(sums * scale).add_(LUT_SIZE / 2).clamp_(0, LUT_SIZE - 1).long()
        gates = sigmoid[index[:, : 3 * hidden]]
        i, f, o = gates.split(hidden, 1)
        g = tanh[index[:, 3 * hidden :]]
        one = 2.0**GATE_BITS
        new = torch.floor((f * cell + i * g) / one).clamp_(-CELL_LIMIT, CELL_LIMIT)
        t = cell_tanh[(torch.floor(new / 8) + CELL_LUT_SIZE / 2).long()]
        state = torch.floor(o * t / 2.0 ** (2 * GATE_BITS - UNIT_BITS)).clamp_(-BYTE, BYTE)
        ctx.save_for_backward(gates, g, t, cell, scale)
        return state, new

    @staticmethod
    def backward(ctx, grad_state: Tensor, grad_new: Tensor):
        gates, g, t, cell, scale = ctx.saved_tensors
        hidden = cell.shape[1]
        one = 2.0**GATE_BITS
        gates, g, t = gates / one, g / one, t / one
        i, f, o = gates.split(hidden, 1)
        grad_state = grad_state * 2.0**UNIT_BITS  # with respect to the state as a real number
        grad_cell = grad_new * one + grad_state * o * (1 - t * t)
        real = cell / one
        grad_gates = torch.cat([grad_cell * g, grad_cell * real, grad_state * t], 1)
        grad_z = torch.cat([grad_gates * gates * (1 - gates), grad_cell * i * (1 - g * g)], 1)
        return grad_z * scale / LUT_STEP, None, grad_cell * f / one, None


class Cell(nn.Module):
    """One LSTM cell on byte inputs; gates in the order input, forget, output, candidate."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        bound = 1 / math.sqrt(inputs + hidden)
        self.weight = nn.Parameter(torch.empty(inputs + hidden, 4 * hidden).uniform_(-bound, bound))
        self.register_buffer("bits", torch.full((4 * hidden,), 6.0))
        for name, table in zip(("sigmoid", "tanh", "cell_tanh"), gate_tables(), strict=True):
            self.register_buffer(name, table, persistent=False)

    @torch.no_grad()
    def calibrate(self) -> None:
        """Give each gate the finest power-of-two weight grid that its largest weight allows."""
        peak = self.weight.abs().amax(0).clamp_min(1e-6) * 1.1
        self.bits.copy_(torch.floor(torch.log2(BYTE / peak)).clamp(2, 12))

    def integer_weight(self) -> Tensor:
        """Weights as signed bytes [inputs + hidden, 4 hidden]."""
        return _Round.apply(self.weight * 2.0**self.bits, BYTE)

    def argument_scale(self) -> Tensor:
        """Power of two that turns a gate sum into a look-up index offset."""
        return LUT_STEP * 2.0 ** -(UNIT_BITS + self.bits)

    def step(self, weight: Tensor, u: Tensor, cell: Tensor, integer: bool) -> tuple[Tensor, Tensor]:
        """Inputs and state side by side [C, inputs + hidden] to the next state and cell."""
        if integer:
            tables = (self.sigmoid, self.tanh, self.cell_tanh)
            return _IntegerCell.apply(u @ weight, self.argument_scale(), cell, tables)
        z = (u @ weight) * 2.0**-UNIT_BITS
        i, f, o = torch.sigmoid(z[:, : 3 * self.hidden]).split(self.hidden, 1)
        new = f * cell + i * torch.tanh(z[:, 3 * self.hidden :]) * 2.0**GATE_BITS
        return o * torch.tanh(new * 2.0**-GATE_BITS) * 2.0**UNIT_BITS, new


def forced_rows(base: int, codewords: int, chains: int) -> Tensor:
    """1 for the rows that are fed an original codeword, every second one up to 2K: [K_max]."""
    index = torch.arange(codewords)
    even = (index // chains + index % chains) % 2 == 0
    return (even & (index < 2 * base)).float()


def parent_steps(steps: int) -> list[int]:
    """The step whose output each step is fed: its number without the leading bit.

    Step 0 has no parent; it is fed the start vector.
    """
    return [0] + [t - (1 << (t.bit_length() - 1)) for t in range(1, steps)]


def neighbour_chains(chains: int) -> Tensor:
    """The chain of the parent: the other one of a pair, which cross-forcing serves in turn."""
    return torch.arange(chains) ^ 1


class Adapter(nn.Module):
    """Base codebook [K, D] to adapted codebook [K_max, D], both in grid units.

    D is any number of integers per codeword. Raises ValueError where the sizes do not go together
    or sums could leave the exact range.
    """

    def __init__(self, base: Tensor, codewords: int, hidden: int, chains: int) -> None:
        super().__init__()
        count, dim = base.shape
        if count % chains or codewords % chains or chains % 2 or 2 * count > codewords:
            raise ValueError("chains must be even and divide K and K_max; K_max at least 2 K")
        # The decoder's cell has the longest sums: codeword, step encoding and state, all bytes.
        if (dim + ENCODING + hidden) * BYTE**2 >= SUM_LIMIT:
            raise ValueError(
                f"codewords of {dim} integers with {hidden} hidden ones make sums that float32 "
                "does not hold exactly; take fewer"
            )
        self.codewords, self.chains = codewords, chains
        self.base = nn.Parameter(base.clone())
        self.encoder, self.decoder = Cell(dim + 1, hidden), Cell(dim + ENCODING, hidden)
        self.output = nn.Parameter(torch.zeros(hidden, dim))
        self.start = nn.Parameter(torch.zeros(dim))
        self.register_buffer("input_bits", torch.zeros(dim))
        self.register_buffer("output_bits", torch.zeros(dim))
        self.register_buffer("encoding", step_encoding(codewords), persistent=False)
        self.register_buffer("forced", forced_rows(count, codewords, chains), persistent=False)
        self.register_buffer("order", torch.arange(codewords))
        self.parents = parent_steps(codewords // chains)

    def parameter_groups(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Weights near one, and parameters in grid units, where a step is a distance."""
        small = [self.encoder.weight, self.decoder.weight, self.output]
        return small, [self.base, self.start]

    @torch.no_grad()
    def set_range(self, latents: Tensor) -> None:
        """Choose the input shifts, and the output's scale, from latents [M, D] in grid units."""
        peak = latents.abs().quantile(0.999, dim=0).clamp_min(1)
        self.input_bits.copy_(torch.ceil(torch.log2(peak / BYTE)).clamp_min(0))
        self.output_bits.copy_(torch.ceil(torch.log2(peak)))
        self.start.copy_(latents.mean(0))

    @torch.no_grad()
    def calibrate(self) -> None:
        """Fix the integer grids of all weights; call once, before integer training.

        What the adapter emits stays the same, but for roundings.
        """
        self.encoder.calibrate()
        self.decoder.calibrate()
        peak = self.output.abs().amax(0).clamp_min(2.0**-10) * 1.1
        finer = torch.floor(torch.log2(BYTE / OUTPUT_ONE / peak))
        self.output.mul_(2.0**finer)
        self.output_bits.sub_(finer)

    def integer_output(self) -> Tensor:
        """Output weights as signed bytes [hidden, D], in units of the scale / OUTPUT_ONE."""
        return _Round.apply(self.output * OUTPUT_ONE, BYTE)

    def integer_base(self) -> Tensor:
        """The base codebook on the integer grid [K, D]."""
        return _Round.apply(self.base, CODEWORD_LIMIT)

    def integer_start(self) -> Tensor:
        """What the first step is fed, on the integer grid [D]."""
        return _Round.apply(self.start, CODEWORD_LIMIT)

    def output_scale(self) -> Tensor:
        """Power of two per dimension that turns an output sum into grid units."""
        return 2.0 ** (self.output_bits - math.log2(OUTPUT_ONE) - UNIT_BITS)

    def forward(self, integer: bool) -> Tensor:
        base = self.integer_base() if integer else self.base
        chains, dim = self.chains, base.shape[1]
        scale = 2.0**-self.input_bits
        weights = [
            cell.integer_weight() if integer else cell.weight
            for cell in (self.encoder, self.decoder)
        ]
        output = self.integer_output() if integer else self.output * OUTPUT_ONE
        start = self.integer_start() if integer else self.start

        def as_input(x: Tensor) -> Tensor:
            x = x * scale
            return _Round.apply(x, BYTE) if integer else x.clamp(-BYTE, BYTE)

        state = base.new_zeros(chains, self.encoder.hidden)
        cell = state
        constant = base.new_full((chains, 1), ENCODING_PEAK)
        for codewords in base.reshape(-1, chains, dim):
            u = torch.cat([as_input(codewords), constant, state], 1)
            state, cell = self.encoder.step(weights[0], u, cell, integer)

        pairs = base.reshape(-1, chains // 2, 1, dim).expand(-1, -1, 2, -1).reshape(-1, chains, dim)
        encoding = self.encoding.reshape(-1, chains, ENCODING)
        forced = self.forced.reshape(-1, chains, 1)
        neighbours = neighbour_chains(chains)
        emitted = []
        for t, parent in enumerate(self.parents):
            fed = emitted[parent][neighbours] if t else start.expand(chains, dim)
            if t < len(pairs):
                fed = forced[t] * pairs[t] + (1 - forced[t]) * fed
            u = torch.cat([as_input(fed), encoding[t], state], 1)
            state, cell = self.decoder.step(weights[1], u, cell, integer)
            change = (state @ output) * self.output_scale()
            if integer:
                change = _Round.apply(change, 2.0**20)
            codewords = fed + change
            if integer:
                codewords = _Round.apply(codewords, CODEWORD_LIMIT)
            emitted.append(codewords)
        return torch.cat(emitted)[self.order]
