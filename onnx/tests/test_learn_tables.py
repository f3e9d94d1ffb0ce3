"""Tables for codebooks: refined on residuals, the best one kept; few components for white noise."""

import math

import torch

from raq_train.codebook import Vectors
from raq_train.learn_tables import (
    WHITE_COMPONENTS,
    WHITE_LENGTH,
    by_use,
    for_prefixes,
    order_for_prefixes,
    refine,
    white_table,
    white_vectors,
)
from raq_train.table import LLOYD_STEPS, distortions, fit, ladder


def clusters(count: int, seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    centres = torch.randn(8, 5, generator=torch.Generator().manual_seed(0)) * 30
    pick = (torch.rand(count, generator=random) ** 3 * 8).long()
    return centres[pick] + torch.randn(count, 5, generator=random)


def test_steps_lower_the_distortion_and_sort_by_use() -> None:
    torch.manual_seed(0)
    rows, held = clusters(4000, 1), clusters(800, 2)
    vectors = Vectors(rows, torch.ones(4000), held, torch.ones(800))
    table, values = refine(vectors, torch.randn(16, 5) * 30, 6)
    assert values[-1] < 0.5 * values[0]
    assert math.isclose(distortions(held, table, [16])[0], min(values), rel_tol=1e-4)
    index = torch.cdist(rows, by_use(rows, torch.ones(4000), table)).argmin(1)
    use = torch.bincount(index, minlength=16)
    assert torch.equal(use, use.sort(descending=True).values)


def test_prefixes_get_better_and_no_row_is_lost() -> None:
    torch.manual_seed(0)
    rows, even = torch.randn(3000, 4) * torch.tensor([9.0, 3.0, 1.0, 1.0]), torch.ones(3000)
    # The most used rows lie all close together in the middle.
    table = rows[:128][rows[:128].norm(dim=1).argsort()]
    ordered = order_for_prefixes(rows, even, table, 0)
    before, after = (distortions(rows, one, [16, 64, 128]) for one in (table, ordered))
    assert after[0] < 0.7 * before[0]
    assert after[1] < before[1]
    assert math.isclose(after[2], before[2], rel_tol=1e-5)
    assert sorted(ordered.tolist()) == sorted(table.tolist())
    # Not far from a table whose prefixes were learned.
    nested, _ = fit(rows, even, 128, ladder(128), LLOYD_STEPS)
    assert after[0] < 1.25 * distortions(rows, nested, [16])[0]


def test_small_prefixes_of_a_large_table_are_nearly_as_good_as_nested_ones() -> None:
    torch.manual_seed(0)
    rows, even = (
        torch.randn(6000, 6) * torch.tensor([9.0, 5.0, 3.0, 2.0, 1.0, 1.0]),
        torch.ones(6000),
    )
    table, _ = fit(rows, even, 1024, [1024], 4)
    made = for_prefixes(rows, even, table)
    nested, _ = fit(rows, even, 32, ladder(32), LLOYD_STEPS)
    alone = order_for_prefixes(rows, even, table, 0)
    sizes = [16, 32, 1024]
    flat, found = (distortions(rows, one, sizes) for one in (alone, made))
    learned = distortions(rows, nested, [16, 32])
    for ours, ordered, best in zip(found[:2], flat[:2], learned, strict=True):
        assert ours < 1.02 * best
        assert ours < 0.96 * ordered
    assert found[2] < 1.04 * flat[2]


def test_the_best_table_is_kept_where_steps_make_it_worse() -> None:
    # Held vectors lie where the table is, those to learn from elsewhere.
    table = torch.randn(4, 3)
    held = table.repeat(10, 1)
    vectors = Vectors(held + 40, torch.ones(40), held, torch.ones(40))
    best, values = refine(vectors, table, 3)
    assert values[0] < 1e-4 < values[1]
    assert torch.equal(best.sort(0).values, table.sort(0).values)
    assert len(by_use(held, torch.ones(40), table)) == 4


def test_white_codewords_are_as_good_as_dense_ones_for_noise() -> None:
    rows, count = white_vectors(20_000, 12, 64, 1), 64
    table = white_table(count, 12, 1)
    torch.testing.assert_close(table.norm(dim=1), torch.full((count,), WHITE_LENGTH))
    assert torch.equal((table != 0).sum(1), torch.full((count,), WHITE_COMPONENTS))
    found = distortions(rows, table, [count])[0]
    dense = torch.nn.functional.normalize(torch.randn(count, 12), dim=1) * WHITE_LENGTH
    assert found < 1.03 * distortions(rows, dense, [count])[0]
    for other in (0.6, 1.5):
        assert distortions(rows, other * table, [count])[0] > found


def test_white_codewords_leave_less_than_dense_ones_in_the_end() -> None:
    def left(table: torch.Tensor) -> float:
        """Mean square of small integers after many rounds of the last two stages."""
        rest = torch.randn(200, 24).round()
        for _ in range(12):
            for shift in (3, 4):
                rows = (table / 2**shift).round()
                gain, index = (2 * rest @ rows.T - rows.pow(2).sum(1)).max(1)
                rest -= torch.where((gain > 0)[:, None], rows[index], torch.zeros(1))
        return rest.pow(2).mean().item()

    torch.manual_seed(0)
    dense = torch.nn.functional.normalize(torch.randn(256, 24), dim=1) * WHITE_LENGTH
    assert left(white_table(256, 24, 1)) < 0.85 * left(dense)
