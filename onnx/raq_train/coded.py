"""What `raq_train.sequences` left of clips, for training and measuring a decoder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import clips, y4m
from .config import Config
from .model import BLOCK, LATENT_SCALE, Autoencoder
from .networks import Batch
from .psnr import pad_planes, psnr_luma

FIRST = 3
"""Frames before it are not looked at: a session's first frames are seen for a moment only."""


@dataclass(frozen=True)
class Coded:
    """One clip coded at one rate: sums i16 [T, h, w, D], levels u8 [T, h, w], planes u8."""

    name: str
    sums: np.ndarray
    levels: np.ndarray
    luma: np.ndarray
    chroma: np.ndarray

    def latents(self, frame: int, rows: slice, columns: slice) -> tuple[Tensor, Tensor]:
        """What a decoder gets of a part of a frame: latents [1, D, h, w] in pixel units, levels
        [1, 1, h, w].
        """
        sums = torch.from_numpy(self.sums[frame, rows, columns].astype(np.float32))
        levels = torch.from_numpy(self.levels[frame, rows, columns].astype(np.float32))
        return sums.permute(2, 0, 1)[None] / LATENT_SCALE, levels[None, None]

    @torch.no_grad()
    def psnr(self, model: Autoencoder, frame: int) -> float:
        """PSNR-Y of a frame as `model` decodes it."""
        decoded, _ = model.decode(*self.latents(frame, slice(None), slice(None)))
        plane = decoded.round().clamp(0, 255).byte().numpy()
        return psnr_luma(plane, (self.luma[frame], self.chroma[frame]))

    @torch.no_grad()
    def target(self, model: Autoencoder, frame: int) -> tuple[Tensor, Tensor]:
        """The padded planes of a frame, f32, and its latents rounded to the grid, pixel units."""
        luma, chroma = pad_planes((self.luma[frame], self.chroma[frame]))
        luma, chroma = (torch.from_numpy(plane).float() for plane in (luma, chroma))
        latents = model.encode(luma, chroma)
        return luma, (latents * LATENT_SCALE).round() / LATENT_SCALE


def load(config: Config, run: Path, held: bool) -> Iterator[Coded]:
    """All clips and rates of a run, of the held clips or of the others.

    Raises ValueError where one is missing.
    """
    for job in clips.jobs(config.clips, config.sequences):
        if job.held != held:
            continue
        folder = run / "sequences"
        luma, chroma = y4m.read(folder / f"{job.name}.y4m")
        for rate in job.rates:
            sums, levels = (
                folder / job.name / f"{job.name}.{rate}.{kind}.npy" for kind in ("sums", "depth")
            )
            if not (sums.exists() and levels.exists()):
                raise ValueError(f"no {sums}: run raq_train.sequences")
            sums, levels = np.load(sums, mmap_mode="r"), np.load(levels, mmap_mode="r")
            yield Coded(f"{job.name}.{rate}", sums, levels, luma, chroma)


class CodedBatches:
    """Random crops of coded clips, `per_picture` of each frame; the same seed, the same crops."""

    def __init__(self, coded: list[Coded], crop: int, batch: int, per_picture: int, seed: int):
        self.side, self.batch, self.per_picture = crop // BLOCK, batch, per_picture
        # Crops lie inside the picture: what is padded has no target.
        self.coded = [
            one for one in coded if min(one.luma.shape[1:]) >= crop and len(one.sums) > FIRST
        ]
        if not self.coded:
            raise ValueError(f"no coded clip is as large as a crop of {crop}")
        self.rng = np.random.default_rng(seed)

    def draw(self) -> Batch:
        """The next `batch` crops."""
        parts = []
        for _ in range(self.batch // self.per_picture):
            one = self.coded[self.rng.integers(len(self.coded))]
            frame = int(self.rng.integers(FIRST, len(one.sums)))
            height, width = (side // BLOCK for side in one.luma.shape[1:])
            for _ in range(self.per_picture):
                row = int(self.rng.integers(0, height - self.side + 1))
                column = int(self.rng.integers(0, width - self.side + 1))
                parts.append(self._cut(one, frame, row, column))
        latents, levels, luma, chroma = (torch.cat(part) for part in zip(*parts, strict=True))
        return Batch(latents, levels, luma, chroma)

    def _cut(self, one: Coded, frame: int, row: int, column: int) -> tuple[Tensor, ...]:
        rows, columns = slice(row, row + self.side), slice(column, column + self.side)
        planes = []
        for plane, scale in ((one.luma[frame][None], BLOCK), (one.chroma[frame], BLOCK // 2)):
            y = slice(rows.start * scale, rows.stop * scale)
            x = slice(columns.start * scale, columns.stop * scale)
            planes.append(torch.from_numpy(plane[None, :, y, x].astype(np.float32)))
        return (*one.latents(frame, rows, columns), *planes)
