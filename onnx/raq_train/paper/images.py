"""Pictures of one size: CIFAR-10 in its several forms, folders of pictures, crops of photos.

A source is named by a word and what belongs to it, separated by a colon; relative folders are
below the data's root:

- `cifar10-lossless` or `cifar10-lossless:FIRST-LAST`: original pixels of the first 4000 pictures;
- `cifar10-jpeg`: 10,000 training pictures that were re-coded as JPEG;
- `cifar10-train:FOLDER`, `cifar10-test:FOLDER`: the full set in its binary version (`*.bin`);
- `folder:FOLDER`: pictures such as CelebA's or ImageNet's, scaled so that the shorter side fits,
  their middle cut out;
- `crops:FOLDER`: squares side by side from photos at half size, such as Kodak's.
"""

from __future__ import annotations

import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from ..data import generate_photo, picture_files
from .settings import DataSettings

CIFAR_SIDE = 32
CIFAR_RECORD = 1 + 3 * CIFAR_SIDE**2
"""Bytes of a picture in the binary version: its class, then its planes."""

CURE = "set RAQ_DATA or --data, or name another source"


class Held:
    """Pictures in memory, u8 [N, 3, S, S]."""

    def __init__(self, pictures: Tensor) -> None:
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, indices: Tensor) -> Tensor:
        """Those pictures, u8 [len(indices), 3, S, S]."""
        return self.pictures[indices]


class Folder:
    """Pictures in files, read when they are wanted: there may be more than fit into memory."""

    def __init__(self, files: list[Path], size: int) -> None:
        self.files, self.size = files, size
        self.readers = ThreadPoolExecutor(4)

    def __len__(self) -> int:
        return len(self.files)

    def batch(self, indices: Tensor) -> Tensor:
        """Those pictures, u8 [len(indices), 3, S, S]. Raises ValueError where one is unreadable."""
        paths = [self.files[n] for n in indices.tolist()]
        read = self.readers.map(lambda path: fitted(open_picture(path), self.size), paths)
        return torch.stack(list(read))


class Joined:
    """Several sources as one."""

    def __init__(self, parts: list[Held | Folder]) -> None:
        self.parts = parts
        self.ends = torch.tensor([len(part) for part in parts]).cumsum(0)

    def __len__(self) -> int:
        return int(self.ends[-1])

    def batch(self, indices: Tensor) -> Tensor:
        """Those pictures, u8 [len(indices), 3, S, S]."""
        which = torch.bucketize(indices, self.ends, right=True)
        made: Tensor | None = None
        for number, part in enumerate(self.parts):
            here = which == number
            if here.any():
                start = int(self.ends[number]) - len(part)
                pictures = part.batch(indices[here] - start)
                if made is None:
                    made = pictures.new_empty(len(indices), *pictures.shape[1:])
                made[here] = pictures
        if made is None:
            raise ValueError("a batch of no pictures")
        return made


Images = Held | Folder | Joined


def open_picture(path: Path) -> Image.Image:
    """A picture as RGB. Raises ValueError where it cannot be read."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ValueError(f"cannot read {path}: {error}; repair or remove it") from error


def to_tensor(image: Image.Image) -> Tensor:
    """u8 [3, H, W]."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def fitted(image: Image.Image, size: int) -> Tensor:
    """The middle of a picture whose shorter side is scaled to `size`: u8 [3, size, size]."""
    scale = size / min(image.size)
    sides = [max(size, round(side * scale)) for side in image.size]
    image = image.resize((sides[0], sides[1]), Image.LANCZOS)
    left, top = (sides[0] - size) // 2, (sides[1] - size) // 2
    return to_tensor(image.crop((left, top, left + size, top + size)))


def squares(image: Image.Image, size: int) -> Tensor:
    """Squares side by side from a picture at half its size: u8 [N, 3, size, size]."""
    half = image.resize((image.width // 2, image.height // 2), Image.LANCZOS)
    whole = to_tensor(half)
    rows = whole.unfold(1, size, size).unfold(2, size, size)
    return rows.permute(1, 2, 0, 3, 4).reshape(-1, 3, size, size)


def _lossless(root: Path, bounds: str) -> Held:
    path = root / "cifar10" / "cifar10_train_first4000_lossless.npz"
    try:
        with np.load(path) as file:
            pixels = file["images"]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"cannot read {path}: {error}; {CURE}") from error
    pictures = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
    if bounds:
        first, _, last = bounds.partition("-")
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
            raise ValueError(f"{bounds!r} is no range of pictures; give FIRST-LAST")
        if int(last) >= len(pictures):
            raise ValueError(f"{bounds!r} goes beyond the last picture, {len(pictures) - 1}")
        pictures = pictures[int(first) : int(last) + 1]
    return Held(pictures)


def _jpeg(root: Path) -> Held:
    path = root / "cifar10" / "cifar10_train10000_jpeg.zip"
    pictures = []
    try:
        with zipfile.ZipFile(path) as archive:
            for name in sorted(n for n in archive.namelist() if n.endswith(".jpg")):
                with Image.open(io.BytesIO(archive.read(name))) as image:
                    pictures.append(to_tensor(image.convert("RGB")))
    except (OSError, zipfile.BadZipFile, UnidentifiedImageError) as error:
        raise ValueError(f"cannot read {path}: {error}; {CURE}") from error
    return Held(torch.stack(pictures))


def _binary(folder: Path, names: str) -> Held:
    files = sorted(folder.glob(names))
    if not files:
        raise ValueError(f"{folder} has no {names}; give CIFAR-10's folder in its binary version")
    parts = []
    for path in files:
        record = np.fromfile(path, np.uint8)
        if not len(record) or len(record) % CIFAR_RECORD:
            raise ValueError(f"{path} is not whole records of {CIFAR_RECORD} bytes; get it again")
        parts.append(record.reshape(-1, CIFAR_RECORD)[:, 1:])
    rows = torch.from_numpy(np.concatenate(parts))
    return Held(rows.reshape(-1, 3, CIFAR_SIDE, CIFAR_SIDE))


def _files(folder: Path) -> list[Path]:
    files = picture_files(folder)
    if not files:
        raise ValueError(f"no pictures in {folder}; {CURE}")
    return files


def _crops(folder: Path, size: int) -> Held:
    parts = [squares(open_picture(path), size) for path in _files(folder)]
    pictures = torch.cat(parts)
    if not len(pictures):
        raise ValueError(f"the pictures in {folder} are smaller than {2 * size} pixels")
    return Held(pictures)


def load_source(root: Path, source: str, size: int) -> Held | Folder:
    """One source, see the module. Raises ValueError with a cause and a cure."""
    kind, _, rest = source.partition(":")
    if kind.startswith("cifar10") and size != CIFAR_SIDE:
        raise ValueError(f"CIFAR-10 has pictures of {CIFAR_SIDE} pixels, [data] size is {size}")
    match kind:
        case "cifar10-lossless":
            return _lossless(root, rest)
        case "cifar10-jpeg":
            return _jpeg(root)
        case "cifar10-train":
            return _binary(root / rest, "data_batch_*.bin")
        case "cifar10-test":
            return _binary(root / rest, "test_batch.bin")
        case "folder":
            return Folder(_files(root / rest), size)
        case "crops":
            return _crops(root / rest, size)
    raise ValueError(f"{source!r} is no source of pictures; {CURE}")


def generated(count: int, size: int, seed: int) -> Held:
    """Pictures that are drawn, for smoke tests."""
    return Held(torch.stack([to_tensor(generate_photo(size, seed + n)) for n in range(count)]))


def load(settings: DataSettings, root: Path) -> tuple[Images, Images]:
    """What is trained on, and what is measured on. Raises ValueError with a cause and a cure."""
    if settings.generated:
        count, size = settings.generated, settings.size
        return generated(count, size, 1), generated(max(8, count // 4), size, 100_001)
    made = []
    for sources in (settings.train, settings.test):
        if not sources:
            raise ValueError("[data] train and test must each name a source")
        made.append(Joined([load_source(root, source, settings.size) for source in sources]))
    return made[0], made[1]


def to_float(pictures: Tensor) -> Tensor:
    """u8 to f32 from 0 to 1, in training and in tests alike (the authors' code scales CelebA and
    ImageNet differently there).
    """
    return pictures.float() / 255
