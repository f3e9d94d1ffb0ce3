"""LSTM layers that are fed what they emitted, step by step, with the gradient written out.

The same as a loop over `torch.nn.LSTM` and its automatic gradient, which a test holds it against;
a step of vectors of 64 costs that loop ten times as long, for it is bookkeeping mostly.
"""

from __future__ import annotations

import torch
from torch import Tensor

Layer = tuple[Tensor, Tensor, Tensor]
"""Weights of a layer: of its input [4 H, I], of its state [4 H, H], and the bias [4 H]; gates in
PyTorch's order: input, forget, candidate, output.
"""


class _Unrolled(torch.autograd.Function):
    """See `unroll`; tensors come one by one, for gradients to go back to each."""

    @staticmethod
    def forward(ctx, mask, given, hidden, cells, leave, offset, *flat) -> Tensor:
        layers = [flat[n : n + 3] for n in range(0, len(flat), 3)]
        forced = mask.tolist()
        states, memories = list(hidden.split(1)), list(cells.split(1))
        turned = [(w.T, r.T, b) for w, r, b in layers]
        saved: list[list[tuple[Tensor, ...]]] = [[] for _ in layers]
        emitted, fed = [], given[:1]
        for t, is_forced in enumerate(forced):
            x = given[t : t + 1] if is_forced else fed
            for n, (weight, recurrent, bias) in enumerate(turned):
                state, memory = states[n], memories[n]
                sums = torch.addmm(bias, x, weight).addmm_(state, recurrent)
                i, f, g, o = sums.chunk(4, 1)
                i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
                new = torch.addcmul(f * memory, i, g)
                bounded = new.tanh()
                saved[n].append((x, state, memory, i, f, g, o, bounded))
                states[n], memories[n] = o * bounded, new
                x = states[n]
            fed = torch.addmm(offset, x, leave.T)
            emitted.append(fed)
        ctx.tops = [*(entry[1] for entry in saved[-1][1:]), states[-1]]
        ctx.saved, ctx.forced, ctx.layers, ctx.leave = saved, forced, layers, leave
        return torch.cat(emitted)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        layers, steps, leave = ctx.layers, len(ctx.forced), ctx.leave
        hidden = leave.shape[1]
        zero = gradient.new_zeros(1, hidden)
        d_state, d_memory = [zero] * len(layers), [zero] * len(layers)
        d_sums: list[list[Tensor]] = [[zero] * steps for _ in layers]
        d_emitted = list(gradient.split(1))
        d_given = gradient.new_zeros(gradient.shape)
        for t in reversed(range(steps)):
            down = d_emitted[t] @ leave
            for n in reversed(range(len(layers))):
                _, _, memory, i, f, g, o, bounded = ctx.saved[n][t]
                d_out = d_state[n] + down
                d_new = torch.addcmul(d_memory[n], d_out * o, 1 - bounded * bounded)
                d_i, d_f, d_g, d_o = d_new * g, d_new * memory, d_new * i, d_out * bounded
                sums = torch.cat(
                    [d_i * i * (1 - i), d_f * f * (1 - f), d_g * (1 - g * g), d_o * o * (1 - o)], 1
                )
                d_sums[n][t] = sums
                d_memory[n] = d_new * f
                d_state[n] = sums @ layers[n][1]
                down = sums @ layers[n][0]
            if ctx.forced[t] or t == 0:
                d_given[t] = down[0]
            else:
                d_emitted[t - 1] = d_emitted[t - 1] + down
        flat: list[Tensor] = []
        for n in range(len(layers)):
            sums = torch.cat(d_sums[n])
            inputs, states = (torch.cat([entry[k] for entry in ctx.saved[n]]) for k in (0, 1))
            flat += [sums.T @ inputs, sums.T @ states, sums.sum(0)]
        whole = torch.cat(d_emitted)
        d_leave, d_offset = whole.T @ torch.cat(ctx.tops), whole.sum(0)
        first = torch.cat(d_state), torch.cat(d_memory)
        return None, d_given, *first, d_leave, d_offset, *flat


def unroll(
    forced: Tensor,
    given: Tensor,
    state: tuple[Tensor, Tensor],
    layers: list[Layer],
    leave: Tensor,
    offset: Tensor,
) -> Tensor:
    """What the layers emit [steps, D], each step fed `given` [steps, D] where `forced` [steps] says
    so, and else what the one before emitted; the first step is always fed the first row.

    `state` are the first states and cells [layers, H]; what is emitted is the top state [H] times
    `leave` [D, H] plus `offset` [D].
    """
    flat = [part for layer in layers for part in layer]
    return _Unrolled.apply(forced, given, *state, leave, offset, *flat)
