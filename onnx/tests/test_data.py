"""Crops: planes stay planes, photos are treated as a whole, colours are varied."""

import numpy as np
import pytest
import torch

from raq_train.data import Crops, Recolouring, generate_pictures


def test_the_same_seed_gives_the_same_crops() -> None:
    pictures = generate_pictures(4, 96, 1)
    first, second = (Crops(pictures, 64, 8, 5, 4, 0.5).next() for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)
        assert a.min() >= 0
        assert a.max() <= 255


def test_crops_of_a_photo_stay_together() -> None:
    flat = [
        (np.full((80, 80), 20 * n, np.uint8), np.full((2, 40, 40), 20 * n, np.uint8))
        for n in range(1, 12)
    ]
    luma, chroma = Crops(flat, 64, 12, 3, per_picture=4, recolour=0.5).next()
    for planes in (luma, chroma[:, :1], chroma[:, 1:]):
        values = planes.flatten(1)
        assert torch.equal(values.min(1).values, values.max(1).values)
        photos = values[:, 0].reshape(3, 4)
        assert torch.equal(photos.min(1).values, photos.max(1).values)
    with pytest.raises(ValueError, match="whole photos"):
        Crops(flat, 64, 10, 3, per_picture=4)


def test_recolouring_turns_the_colour_plane() -> None:
    turn = np.array([[0, -1], [1, 0]], np.float32)
    quarter = Recolouring(turn, np.array([0, 10], np.float32))
    chroma = np.stack([np.full((2, 2), 150.0), np.full((2, 2), 128.0)]).astype(np.float32)
    got = quarter.apply(chroma)
    np.testing.assert_allclose(got[0], 128)
    np.testing.assert_allclose(got[1], 128 + 22 + 10)
    wild = Recolouring(10 * turn, np.zeros(2, np.float32)).apply(chroma)
    assert wild.max() == 255


def test_recolouring_reaches_saturated_colours() -> None:
    pictures = generate_pictures(4, 96, 1)
    plain = Crops(pictures, 64, 64, 5, recolour=0.0).next()[1]
    vivid = Crops(pictures, 64, 64, 5, recolour=1.0).next()[1]
    reach = [(planes - 128).abs().mean((2, 3)).max().item() for planes in (plain, vivid)]
    assert reach[1] > reach[0]
