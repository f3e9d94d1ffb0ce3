"""Nested tables: prefixes are codebooks, the scan is exact, Lloyd's steps lower the distortion."""

import torch

from raq_train.table import distortions, fit, ladder, lloyd_step, nearest


def test_ladder_is_ascending_half_octaves() -> None:
    assert ladder(16) == [1, 2, 3, 4, 6, 8, 12, 16]
    assert ladder(1) == [1]


def test_one_scan_equals_a_search_per_prefix() -> None:
    torch.manual_seed(0)
    latents, table = torch.randn(300, 6), torch.randn(64, 6)
    levels = [1, 2, 5, 17, 64]
    indices, distances = nearest(latents, table, levels)
    for n, level in enumerate(levels):
        full = torch.cdist(latents, table[:level]).pow(2)
        assert torch.equal(indices[n], full.argmin(1))
        torch.testing.assert_close(distances[n], full.min(1).values, rtol=1e-3, atol=1e-4)


def test_nested_table_is_close_to_kmeans_at_every_size() -> None:
    torch.manual_seed(0)
    latents, even = torch.randn(20_000, 4), torch.ones(20_000)
    table, weights = fit(latents, even, 64, ladder(64), 15)
    assert weights.min() > 0
    sizes = [4, 16, 64]
    for size, nested in zip(sizes, distortions(latents, table, sizes), strict=True):
        alone = distortions(latents, fit(latents, even, size, [size], 15)[0], [size])[0]
        assert nested < alone * 1.25


def test_a_dead_codeword_comes_back() -> None:
    torch.manual_seed(0)
    latents = torch.randn(5000, 3)
    table = torch.randn(8, 3)
    table[5] = 1e3
    table, _ = lloyd_step(latents, torch.ones(5000), table, [8])
    indices, _ = nearest(latents, table, [8])
    assert (indices[0] == 5).any()


def test_importance_moves_codewords_where_it_counts() -> None:
    torch.manual_seed(0)
    latents = torch.cat([torch.randn(3000, 2), torch.randn(3000, 2) + 50])
    latents = latents[torch.randperm(6000)]
    far = latents[:, 0] > 25
    table, _ = fit(latents, torch.where(far, 1000.0, 1.0), 16, [16], 10)
    assert (table[:, 0] > 25).sum() > 12
