"""Clips as y4m files of planar YUV 4:2:0, 8 bit: what `raq-sim` reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .data import Planes

_FRAME = b"FRAME\n"


def write(path: Path, frames: list[Planes], rate: int = 25) -> None:
    """Write full-range frames of one size, `rate` a second, in place of a file that is there."""
    height, width = frames[0][0].shape
    header = f"YUV4MPEG2 W{width} H{height} F{rate}:1 Ip A1:1 C420jpeg XCOLORRANGE=FULL\n"
    partial = path.with_suffix(".tmp")
    with partial.open("wb") as file:
        file.write(header.encode())
        for luma, chroma in frames:
            file.write(_FRAME + luma.tobytes() + chroma.tobytes())
    partial.replace(path)


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Luma u8 [T, H, W] and chroma u8 [T, 2, H/2, W/2] of a file with even sides.

    Raises ValueError where it is no such file.
    """
    data = path.read_bytes()
    end = data.find(b"\n")
    fields = data[:end].split(b" ")
    if end < 0 or fields[0] != b"YUV4MPEG2":
        raise ValueError(f"{path} is no y4m file")
    known = {field[:1]: field[1:] for field in reversed(fields[1:])}
    width, height = int(known[b"W"]), int(known[b"H"])
    if width % 2 or height % 2 or not known.get(b"C", b"420").startswith(b"420"):
        raise ValueError(f"{path} is not 4:2:0 with even sides")
    size = width * height * 3 // 2
    record = len(_FRAME) + size
    count = (len(data) - end - 1) // record
    raw = np.frombuffer(data, np.uint8, count * record, end + 1).reshape(count, record)
    if not count or (raw[:, : len(_FRAME)] != np.frombuffer(_FRAME, np.uint8)).any():
        raise ValueError(f"{path} holds no frames, or frames with parameters")
    planes = raw[:, len(_FRAME) :]
    luma = planes[:, : width * height].reshape(count, height, width)
    chroma = planes[:, width * height :].reshape(count, 2, height // 2, width // 2)
    return luma, chroma
