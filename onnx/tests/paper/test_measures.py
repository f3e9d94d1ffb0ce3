"""Measures of pictures and rates."""

import math
from pathlib import Path

import pytest
import torch

from raq_train.paper import results
from raq_train.paper.measures import Meter, Scales, Usage, psnr, ssim
from raq_train.paper.quantise import EmaCodebook, assign, draw_size, quantise


def test_psnr_and_ssim_of_known_pictures() -> None:
    grey = torch.full((2, 3, 16, 16), 0.5)
    other = grey.clone()
    other[1] += 0.1
    torch.testing.assert_close(psnr(other, grey), torch.tensor([100.0, 20.0]))
    assert ssim(grey, grey).tolist() == [1.0, 1.0]
    noisy = grey + 0.2 * torch.randn(grey.shape, generator=torch.Generator().manual_seed(1))
    assert ssim(noisy, grey).max() < 0.2


def test_rates_count_all_stages() -> None:
    usage = Usage()
    indices = torch.tensor([[0, 0], [1, 0], [2, 1], [3, 1]])
    usage.add(indices, [8, 2])
    assert usage.entropy() == 3.0 and usage.perplexity() == 8.0 and usage.used() == 6


def test_a_meter_gives_means_over_batches() -> None:
    meter = Meter(Scales())
    for error in (51 / 255, 5.1 / 255):
        pictures = torch.full((1, 3, 16, 16), 0.4)
        miss, indices = torch.full((4,), error), torch.tensor([[0], [1], [0], [1]])
        meter.add(pictures + error, pictures, miss, indices, [4])
    figures = meter.figures(4)
    # Errors of 51 and, rounded to bytes, of 5.
    decibels = (20 * math.log10(255 / 51) + 20 * math.log10(255 / 5)) / 2
    assert figures["psnr-rgb"] == pytest.approx(decibels, abs=1e-4)
    assert figures["latent-mse"] == pytest.approx(0.11)
    assert (figures["bpp"], figures["bpp-entropy"]) == (2 * 4 / 256, 4 / 256)
    assert (figures["perplexity"], figures["used"]) == (2, 2)


def test_missing_weights_are_named() -> None:
    with pytest.raises(ValueError, match=r"nowhere.pth is not there; give torch-fidelity's"):
        Scales.load(None, Path("nowhere.pth"))


def test_intervals_are_students() -> None:
    assert results.mean_and_interval([2.0]) == (2.0, None)
    mean, half = results.mean_and_interval([1.0, 2.0, 3.0])
    # scipy.stats.t.ppf(0.975, 2) / sqrt(3)
    assert mean == 2 and half == pytest.approx(2.484, abs=0.02)


def test_nearest_codewords_and_their_gradients() -> None:
    rows = torch.randn(500, 4, generator=torch.Generator().manual_seed(1)).requires_grad_()
    codebook = torch.randn(9, 4, generator=torch.Generator().manual_seed(2)).requires_grad_()
    made = quantise(rows, codebook, 0.25)
    assert torch.equal(made.indices, torch.cdist(rows, codebook).argmin(1))
    assert torch.equal(assign(rows, codebook), made.indices)
    made.rows.sum().backward()
    assert torch.equal(rows.grad, torch.ones_like(rows)) and codebook.grad is None
    miss = (rows - codebook[made.indices]).pow(2).mean()
    torch.testing.assert_close(made.loss, 1.25 * miss)


def test_averages_find_clusters_and_restart_revives() -> None:
    torch.manual_seed(1)
    centres = 3 * torch.eye(4)
    book = EmaCodebook(4, 4, decay=0.9, restart=0.1)
    book.begin(torch.zeros(4, 4))  # All of them dead but one.
    for _ in range(200):
        rows = centres.repeat(32, 1) + 0.01 * torch.randn(128, 4)
        book.follow(rows, assign(rows, book.table))
    assert torch.cdist(centres, book.table).min(1).values.max() < 0.05


def test_sizes_are_drawn_evenly_or_by_octave() -> None:
    random = torch.Generator().manual_seed(1)
    even = torch.tensor([draw_size(8, 1024, "uniform", random) for _ in range(4000)])
    octaves = torch.tensor([draw_size(8, 1024, "log", random) for _ in range(4000)])
    assert even.min() >= 8 and even.max() <= 1024 and octaves.min() >= 8 and octaves.max() <= 1024
    assert abs((even <= 516).float().mean() - 0.5) < 0.03
    # 8 is one of seven octaves; 90 is in the middle of them.
    assert abs((octaves < 90).float().mean() - 0.5) < 0.03
