"""Clustering of codebooks."""

import torch

from raq_train.paper import clustered, dkm


def points(count: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(seed)) * 0.3


def test_centres_settle_where_clusters_are() -> None:
    centres = torch.eye(4) * 2
    cloud = centres.repeat_interleave(25, 0)
    cloud = cloud + 0.01 * torch.randn(cloud.shape, generator=torch.Generator().manual_seed(1))
    random = torch.Generator().manual_seed(2)
    found = dkm.dkm(cloud, dkm.plus_plus(cloud, 4, random))
    assert torch.cdist(centres, found.codebook).min(1).values.max() < 0.02
    assert found.curve[-1] <= found.curve[0] and len(found.curve) < dkm.MOST_STEPS


def test_plus_plus_spreads_and_survives_copies() -> None:
    cloud = torch.cat([torch.zeros(50, 2), torch.ones(1, 2)])
    random = torch.Generator().manual_seed(3)
    assert {tuple(p.tolist()) for p in dkm.plus_plus(cloud, 2, random)} == {(0.0, 0.0), (1.0, 1.0)}
    assert dkm.plus_plus(torch.zeros(5, 2), 3, random).shape == (3, 2)


def test_discrepancy_tells_sets_apart() -> None:
    one, same, far = points(200), points(200, 2), points(200, 3) + 1
    assert dkm.discrepancy(one, one).abs() < 1e-5
    assert dkm.discrepancy(one, same) < 0.1 * dkm.discrepancy(one, far)


def test_an_expanded_codebook_clusters_to_what_there_was() -> None:
    given = points(8) + 0.2
    random = torch.Generator().manual_seed(4)
    start = dkm.EXPANDING["random"](given, torch.ones(8), 32, random)
    found = dkm.ikm(given, start, 120, random)
    assert found.codebook.shape == (32, 6)
    assert min(found.curve) < 0.5 * found.curve[0]


def test_every_start_gives_codebooks_of_the_size_asked_for() -> None:
    latents = points(3000, 5)
    trained = clustered.Trained(points(16), torch.arange(16.0), latents)
    smaller = list(clustered.reduced(trained, [4, 8], seeds=2))
    larger = list(clustered.expanded(trained, [32], seeds=1))
    for made in smaller + larger:
        assert made.codebook.shape == (made.size, 6) and made.codebook.isfinite().all(), made
    assert {made.series for made in smaller} == {
        "first",
        "most-used",
        "weighted-k-means",
        "lloyd",
        "dkm-random",
        "dkm-plus-plus",
        "dkm-trained",
    }
    by_name = {made.series: made.codebook for made in smaller if made.size == 4}
    assert torch.equal(by_name["first"], trained.codebook[:4])
    assert torch.equal(by_name["most-used"], trained.codebook[[15, 14, 13, 12]])
    miss = {
        name: torch.cdist(latents, c).min(1).values.square().mean() for name, c in by_name.items()
    }
    assert miss["lloyd"] == min(miss.values())
