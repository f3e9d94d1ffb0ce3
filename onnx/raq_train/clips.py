"""The clips that sequences are coded from: video files, a camera over photos, repeated photos."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from . import y4m
from .config import ClipConfig, SequenceConfig
from .data import generate_photo, picture_files, to_planes


@dataclass(frozen=True)
class Job:
    """A clip to be coded: where its frames come from, and how `raq-sim vectors` is to code it."""

    name: str
    rates: tuple[int, ...]
    frames: int
    arguments: tuple[str, ...] = ()
    held: bool = False
    source: ClipConfig | None = None


def jobs(clips: tuple[ClipConfig, ...], made: SequenceConfig) -> Iterator[Job]:
    """Everything that a configuration asks for, in order; names are unique."""
    seen: dict[str, int] = {}
    for clip in clips:
        number = seen[clip.name] = seen.get(clip.name, 0) + 1
        kind = "still_" if clip.still else ""
        name = kind + (clip.name if number == 1 else f"{clip.name}_{number}")
        more: tuple[str, ...] = ()
        if clip.datagrams:
            more += ("--datagrams", str(clip.datagrams))
        if clip.delay:
            more += ("--feedback-delay", clip.delay)
        if clip.loss:
            more += ("--loss", str(clip.loss))
        yield Job(name, clip.rates, clip.frames, more, clip.held, clip)
    for n in range(made.pans):
        yield Job(f"pan_{n}", made.pan_rates, made.pan_frames, held=n % 7 == 1)
    for n in range(made.stills):
        yield Job(f"still_{n}", made.still_rates, made.still_frames, held=n % 8 == 1)


def photos(root: Path, folders: tuple[str, ...], count: int, seed: int) -> list[Image.Image]:
    """`count` photos drawn from `folders` below `root`, or generated ones where none are named."""
    if not folders:
        return [generate_photo(192, seed + n) for n in range(count)]
    files = [file for folder in folders for file in picture_files(root / folder)]
    if len(files) < count:
        raise ValueError(f"{root} holds {len(files)} photos, not {count}; set RAQ_DATA or --photos")
    order = np.random.default_rng(seed).permutation(len(files))[:count]
    return [Image.open(files[n]).convert("RGB") for n in order]


def pan(photo: Image.Image, size: int, frames: int, seed: int) -> Iterator[Image.Image]:
    """A hand-held camera over a photo: drifts, turns and zooms a little; `size` pixels square."""
    rng = np.random.default_rng(seed)
    width, height = photo.size
    side, centre = min(width, height) * 0.62, np.array([width / 2, height / 2])
    speed, zoom = rng.normal(0, [3.0, 2.0]), rng.normal(1, 0.006)
    angle, turn = 0.0, rng.normal(0, 0.004)
    for _ in range(frames):
        cos, sin = np.cos(angle) * side / size, np.sin(angle) * side / size
        x, y = centre - size / 2 * np.array([cos - sin, cos + sin])
        matrix = (cos, -sin, x, sin, cos, y)
        yield photo.transform(
            (size, size), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC
        )
        limit = np.array([width - side / 2, height - side / 2])
        centre = np.clip(centre + speed, side / 2, np.maximum(limit, side / 2))
        side, angle = min(side * zoom, 0.9 * min(width, height)), angle + turn
        speed = speed + rng.normal(0, 0.5, 2)


def still(photo: Image.Image, size: int) -> Image.Image:
    """The middle of a photo, `size` pixels square."""
    side = min(photo.size)
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    box = (left, top, left + side, top + side)
    return photo.resize((size, size), Image.Resampling.LANCZOS, box)


def _is_full_range(path: Path) -> bool:
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries"]
    command += ["stream=color_range", "-of", "csv=p=0", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip().strip(",") == "pc"


def convert(path: Path, clip: ClipConfig, out: Path) -> None:
    """Scale a video file to y4m with ffmpeg, as `raq-sim` does. Raises ValueError on failure."""
    scale = f"scale={clip.size.replace('x', ':')}:flags=bicubic"
    try:
        if _is_full_range(path):
            scale += ":in_range=full:out_range=full"
        command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", str(path), "-map", "0:v:0"]
        frames = 1 if clip.still else clip.frames
        command += ["-vf", scale, "-pix_fmt", "yuv420p", "-frames:v", str(frames)]
        partial = out.with_suffix(".tmp")
        command += ["-f", "yuv4mpegpipe", str(partial)]
        subprocess.run(command, capture_output=True, text=True, check=True)
    except subprocess.CalledProcessError as error:
        raise ValueError(f"ffmpeg cannot read {path}: {error.stderr.strip()}") from error
    if clip.still:
        data = partial.read_bytes()
        first = data.index(b"FRAME")
        partial.write_bytes(data[:first] + data[first:] * clip.frames)
    partial.replace(out)


def make(job: Job, config, data: Path, photo: Image.Image | None, out: Path) -> None:
    """Write the clip of a job as y4m, unless it is there."""
    if out.exists():
        return
    if job.source is not None:
        convert(data / "video" / job.source.file, job.source, out)
        return
    kind, number = job.name.split("_")
    size = config.sequences.size
    if kind == "pan":
        frames = [to_planes(one) for one in pan(photo, size, job.frames, int(number))]
    else:
        frames = [to_planes(still(photo, size))] * job.frames
    y4m.write(out, frames)
