"""Pictures as planar YUV 4:2:0: photos from folders, or generated ones for runs without data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

Planes = tuple[np.ndarray, np.ndarray]
"""Luma u8 [H, W] and chroma u8 [2, H/2, W/2]; H and W even."""


def data_root() -> Path:
    """The data outside the repository: RAQ_DATA, by default `shared/data` beside it."""
    repository = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("RAQ_DATA") or repository.parent / "shared" / "data")


def to_planes(image: Image.Image) -> Planes:
    """Convert to full-range BT.601 4:2:0; chroma is the mean of each 2x2 block.

    Odd sizes lose their last row or column.
    """
    ycc = np.asarray(image.convert("RGB").convert("YCbCr"))
    height, width = ycc.shape[0] & ~1, ycc.shape[1] & ~1
    ycc = ycc[:height, :width]
    chroma = ycc[:, :, 1:].astype(np.float32)
    chroma = chroma.reshape(height // 2, 2, width // 2, 2, 2).mean(axis=(1, 3))
    chroma = np.ascontiguousarray(np.rint(chroma).astype(np.uint8).transpose(2, 0, 1))
    return np.ascontiguousarray(ycc[:, :, 0]), chroma


def picture_files(folder: Path) -> list[Path]:
    """All JPEG and PNG files below `folder`, sorted, so that a seed means the same everywhere."""
    kinds = {".jpg", ".jpeg", ".png"}
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in kinds)


def load_photos(root: Path, folders: tuple[str, ...], crop: int) -> list[Planes]:
    """Every photo at its own size and, where it stays larger than a crop, at 0.7 of it.

    The smaller copy hides compression artefacts of the photo itself.
    """
    pictures: list[Planes] = []
    for folder in folders:
        files = picture_files(root / folder)
        if not files:
            raise FileNotFoundError(f"no pictures in {root / folder}; set RAQ_DATA or --photos")
        for path in files:
            with Image.open(path) as image:
                rgb = image.convert("RGB")
            for scale in (1.0, 0.7):
                width, height = round(rgb.width * scale), round(rgb.height * scale)
                if min(width, height) < crop + 2:
                    continue
                sized = rgb if scale == 1.0 else rgb.resize((width, height), Image.LANCZOS)
                pictures.append(to_planes(sized))
    return pictures


def _draw_photo(size: int, rng: np.random.Generator) -> Image.Image:
    ys, xs = np.mgrid[0:size, 0:size].astype(np.float32) / size
    rgb = np.zeros((size, size, 3), np.float32)
    for channel in range(3):
        a, b, c = rng.uniform(-1, 1, 3)
        rgb[:, :, channel] = 128 + 90 * np.tanh(a * (xs - 0.5) * 3 + b * (ys - 0.5) * 3 + c)
    for _ in range(int(rng.integers(3, 9))):
        cx, cy, radius = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.05, 0.35)
        inside = (xs - cx) ** 2 + (ys - cy) ** 2 < radius**2
        fx, fy = rng.uniform(-60, 60, 2)
        texture = 1 + rng.uniform(0, 0.4) * np.sin(fx * xs + fy * ys)
        rgb[inside] = (rng.uniform(20, 235, 3) * texture[..., None])[inside]
    rgb += rng.normal(0, 2, rgb.shape)
    return Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))


def generate_photo(size: int, seed: int) -> Image.Image:
    """Smooth gradients, edges and textured discs: enough structure to test training on."""
    return _draw_photo(size, np.random.default_rng(seed))


def generate_pictures(count: int, size: int, seed: int) -> list[Planes]:
    """Planes of `count` pictures like `generate_photo`'s, one after the other from one seed."""
    rng = np.random.default_rng(seed)
    return [to_planes(_draw_photo(size, rng)) for _ in range(count)]


class Recolouring(NamedTuple):
    """A map of chroma: a turn and stretch of the colour plane, then a shift.

    Photos hardly have saturated, even colours; screens, stage light and chroma keys do.
    """

    turn: np.ndarray
    shift: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Recolouring:
        """Any turn, a stretch between 0.6 and 2.2, a shift of about 20 levels."""
        angle, stretch = rng.uniform(0, 2 * np.pi), np.exp(rng.uniform(-0.5, 0.8))
        cos, sin = stretch * np.cos(angle), stretch * np.sin(angle)
        turn = np.array([[cos, -sin], [sin, cos]], np.float32)
        return cls(turn, rng.normal(0, 20, 2).astype(np.float32))

    def apply(self, chroma: np.ndarray) -> np.ndarray:
        """Chroma [2, H, W], 0 to 255."""
        moved = np.einsum("ij,jhw->ihw", self.turn, chroma - np.float32(128))
        return np.clip(128 + moved + self.shift[:, None, None], 0, 255)


class Crops:
    """Random square crops, flipped and turned; the same seed gives the same sequence.

    `per_picture` crops in a row come from one photo and are treated alike. A third of the photos
    are squeezed into the limited range (16-235), as video has it; `recolour` of them get other
    colours.
    """

    def __init__(
        self,
        pictures: list[Planes],
        crop: int,
        batch: int,
        seed: int,
        per_picture: int = 1,
        recolour: float = 0.0,
    ) -> None:
        if batch % per_picture:
            raise ValueError(f"a batch of {batch} is not whole photos of {per_picture} crops")
        self.pictures, self.crop, self.batch = pictures, crop, batch
        self.per_picture, self.recolour = per_picture, recolour
        self.rng = np.random.default_rng(seed)
        areas = np.array([luma.size for luma, _ in pictures], np.float64)
        self.weights = areas / areas.sum()

    def next(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Luma f32 [N, 1, crop, crop] and chroma f32 [N, 2, crop/2, crop/2], 0 to 255."""
        half = self.crop // 2
        luma = np.empty((self.batch, 1, self.crop, self.crop), np.float32)
        chroma = np.empty((self.batch, 2, half, half), np.float32)
        photos = self.rng.choice(len(self.pictures), self.batch // self.per_picture, p=self.weights)
        for first, photo in zip(range(0, self.batch, self.per_picture), photos, strict=True):
            group = slice(first, first + self.per_picture)
            for n in range(group.start, group.stop):
                luma[n, 0], chroma[n] = self._cut(*self.pictures[photo])
            if self.rng.random() < self.recolour:
                colours = Recolouring.draw(self.rng)
                for n in range(group.start, group.stop):
                    chroma[n] = colours.apply(chroma[n])
            if self.rng.random() < 0.33:
                luma[group] = 16 + luma[group] * (219 / 255)
                chroma[group] = 128 + (chroma[group] - 128) * (224 / 255)
        return torch.from_numpy(luma), torch.from_numpy(chroma)

    def _cut(self, y: np.ndarray, c: np.ndarray) -> Planes:
        half = self.crop // 2
        top = int(self.rng.integers(0, (y.shape[0] - self.crop) // 2 + 1)) * 2
        left = int(self.rng.integers(0, (y.shape[1] - self.crop) // 2 + 1)) * 2
        y = y[top : top + self.crop, left : left + self.crop]
        c = c[:, top // 2 : top // 2 + half, left // 2 : left // 2 + half]
        if self.rng.random() < 0.5:
            y, c = y[:, ::-1], c[:, :, ::-1]
        if self.rng.random() < 0.25:
            y, c = y[::-1], c[:, ::-1]
        if self.rng.random() < 0.25:
            y, c = y.T, c.transpose(0, 2, 1)
        return y, c
