"""Sources of pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from raq_train.paper import images
from raq_train.paper.settings import DataSettings


def save(path: Path, width: int, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.arange(width * height * 3, dtype=np.uint8).reshape(height, width, 3)
    Image.fromarray(pixels).save(path)


def test_the_full_set_in_its_binary_version(tmp_path: Path) -> None:
    record = np.arange(2 * images.CIFAR_RECORD, dtype=np.int64).astype(np.uint8)
    record.tofile(tmp_path / "data_batch_1.bin")
    read = images.load_source(tmp_path, "cifar10-train:.", 32)
    assert len(read) == 2
    # After the class the red plane comes row by row.
    expected = torch.from_numpy(record[1 : 1 + 1024].reshape(32, 32))
    assert torch.equal(read.batch(torch.tensor([0]))[0, 0], expected)
    (tmp_path / "data_batch_2.bin").write_bytes(b"short")
    with pytest.raises(ValueError, match=r"data_batch_2\.bin is not whole records"):
        images.load_source(tmp_path, "cifar10-train:.", 32)
    with pytest.raises(ValueError, match=r"has no test_batch\.bin"):
        images.load_source(tmp_path, "cifar10-test:.", 32)


def test_folders_are_fitted_and_joined(tmp_path: Path) -> None:
    save(tmp_path / "faces" / "a.png", 100, 50)
    save(tmp_path / "faces" / "b.png", 30, 90)
    save(tmp_path / "photos" / "c.png", 130, 70)
    folder = images.load_source(tmp_path, "folder:faces", 16)
    crops = images.load_source(tmp_path, "crops:photos", 16)
    assert len(folder) == 2 and len(crops) == 2 * 4
    joined = images.Joined([folder, crops])
    order = torch.tensor([9, 0, 1, 2])
    batch = joined.batch(order)
    assert batch.shape == (4, 3, 16, 16) and batch.dtype == torch.uint8
    assert torch.equal(batch[0], crops.pictures[7]) and torch.equal(batch[3], crops.pictures[0])


def test_broken_pictures_and_sources_are_named(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    with pytest.raises(ValueError, match="no pictures in"):
        images.load_source(tmp_path, "folder:faces", 16)
    (tmp_path / "faces" / "a.jpg").write_bytes(b"no picture")
    broken = images.load_source(tmp_path, "folder:faces", 16)
    with pytest.raises(ValueError, match=r"cannot read .*a.jpg: .*; repair or remove it"):
        broken.batch(torch.tensor([0]))
    for source, text in [
        ("cifar10-lossless", "cannot read"),
        ("cifar10-jpeg", "cannot read"),
        ("somewhere", "is no source of pictures"),
    ]:
        with pytest.raises(ValueError, match=text):
            images.load_source(tmp_path, source, 32)
    with pytest.raises(ValueError, match="CIFAR-10 has pictures of 32 pixels"):
        images.load_source(tmp_path, "cifar10-jpeg", 64)


def test_ranges_of_the_lossless_part(tmp_path: Path) -> None:
    (tmp_path / "cifar10").mkdir()
    pixels = np.arange(5, dtype=np.uint8)[:, None, None, None].repeat(32, 1).repeat(32, 2)
    file = tmp_path / "cifar10" / "cifar10_train_first4000_lossless.npz"
    np.savez(file, images=pixels.repeat(3, 3))
    part = images.load_source(tmp_path, "cifar10-lossless:1-3", 32)
    assert part.pictures[:, 0, 0, 0].tolist() == [1, 2, 3]
    for bounds in ("1-5", "3-1", "a-b", "1"):
        with pytest.raises(ValueError, match=r"range of pictures|beyond the last"):
            images.load_source(tmp_path, f"cifar10-lossless:{bounds}", 32)


def test_an_empty_list_of_sources(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must each name a source"):
        images.load(DataSettings(train=()), tmp_path)
