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


@torch.no_grad()
def test_forcing_feeds_original_codewords_to_every_second_step() -> None:
    """Steps 1, 3, 5 … of the paper's count take codewords 1, 2, 3 …, up to 2K."""
    generator = made("paper")
    fed: list[torch.Tensor] = []
    generator.enter.register_forward_hook(lambda _, __, output: fed.append(output))
    whole = generator(BASE, 20)
    steps = torch.cat(fed[1:])
    for t in range(20):
        expected = BASE[t // 2] if t % 2 == 0 and t < 12 else whole[t - 1]
        torch.testing.assert_close(steps[t], expected)


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
