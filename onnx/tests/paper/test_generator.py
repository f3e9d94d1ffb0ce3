"""The paper's Seq2Seq, in both readings."""

import pytest
import torch

from raq_train.paper.generator import Generator

BASE = torch.linspace(-0.5, 0.5, 6 * 4).reshape(6, 4)


def made(feed: str, **more) -> Generator:
    torch.manual_seed(1)
    return Generator(4, more.pop("hidden", 4), 2, 20, feed=feed, **more).eval()


@pytest.mark.parametrize("feed", ["paper", "code"])
@torch.no_grad()
def test_smaller_codebooks_are_prefixes(feed: str) -> None:
    generator = made(feed)
    whole = generator(BASE, 20)
    assert whole.shape == (20, 4)
    torch.testing.assert_close(generator(BASE, 7), whole[:7])


@torch.no_grad()
def test_states_are_bounded_and_linear_maps_are_not() -> None:
    assert made("paper")(BASE, 20).abs().max() < 1
    assert made("paper", hidden=2)(BASE, 20).shape == (20, 4)


def by_the_letter(generator: Generator, base: torch.Tensor, size: int) -> torch.Tensor:
    """The paper's loop: steps 1, 3, 5 … of its count take codewords 1, 2, 3 …, up to 2K."""
    _, state = generator.reader(generator.enter(base))
    emitted: list[torch.Tensor] = []
    for step in range(1, size + 1):
        if generator.forcing and step % 2 == 1 and step <= 2 * len(base):
            fed = base[(step + 1) // 2 - 1][None]
        else:
            fed = emitted[-1] if emitted else generator.queries[:1]
        output, state = generator.writer(generator.enter(fed), state)
        emitted.append(generator.leave(output))
    return torch.cat(emitted)


@pytest.mark.parametrize("forcing", [True, False])
@pytest.mark.parametrize(("hidden", "layers"), [(4, 2), (3, 1)])
def test_codewords_and_gradients_are_those_of_the_papers_loop(
    forcing: bool, hidden: int, layers: int
) -> None:
    torch.manual_seed(1)
    generator = Generator(4, hidden, layers, 20, forcing=forcing)
    weights = torch.randn(20, 4)
    base = BASE.clone().requires_grad_()
    wanted = [base, *generator.parameters()]
    found = []
    for emit in (generator, lambda base, size: by_the_letter(generator, base, size)):
        codebook = emit(base, 20)
        loss = (weights * codebook).sum()
        found.append((codebook, torch.autograd.grad(loss, wanted, allow_unused=True)))
    torch.testing.assert_close(found[0][0], found[1][0])
    for one, other in zip(found[0][1], found[1][1], strict=True):
        if other is None:
            assert one is None or not one.any()
        else:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_authors_code_feeds_rows_of_its_own() -> None:
    generator = made("code")
    inputs = generator._known_inputs(BASE, 20)
    for t in range(20):
        forced = t % 2 == 1 and t < 12
        torch.testing.assert_close(inputs[t], BASE[t // 2] if forced else generator.queries[t])
    assert torch.equal(made("code", forcing=False)._known_inputs(BASE, 20), generator.queries)


def test_nothing_lies_beyond_the_learned_rows() -> None:
    with pytest.raises(ValueError, match="21 codewords are more than the 20"):
        made("code")(BASE, 21)
    assert made("paper")(BASE, 21).shape == (21, 4)


def test_gradients_reach_all_weights() -> None:
    for feed in ("paper", "code"):
        generator = made(feed)
        generator(BASE, 20).square().sum().backward()
        assert all(
            p.grad is not None and p.grad.abs().sum() > 0
            for p in generator.parameters()
            if p is not generator.queries
        )
