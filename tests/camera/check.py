#!/usr/bin/env python3
"""Looks at what the virtual machine of tests/camera/run has left: check.py FOLDER."""

import json
import re
import sys
from pathlib import Path

# vivid's picture: bars of 75 % in the order of the standard (Rec. ITU-R BT.471), BT.601, limited.
BARS = {
    "white": (180, 128, 128),
    "yellow": (162, 44, 142),
    "cyan": (131, 156, 44),
    "green": (112, 72, 58),
    "magenta": (84, 184, 198),
    "red": (65, 100, 212),
    "blue": (35, 212, 114),
    "black": (16, 128, 128),
}
# How far the mean of a bar may be off: the bars are coded with losses.
MOST_OFF = 6.0

folder = Path(sys.argv[1])
failures = []


def check(holds, text):
    print(("ok      " if holds else "FAILED  ") + text)
    if not holds:
        failures.append(text)


def log(name):
    path = folder / f"{name}.log"
    return path.read_text(errors="replace") if path.exists() else ""


def lines(name):
    path = folder / f"{name}.jsonl"
    text = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in text]


def ended(name, code, *words):
    text = log(name)
    check(f"exit code {code}\n" in text, f"{name}: exit code {code}")
    for word in words:
        check(word in text, f"{name}: says {word!r}")
    check("panicked" not in text, f"{name}: no panic")


class Video:
    """A y4m file, 4:2:0."""

    def __init__(self, name):
        path = folder / f"{name}.y4m"
        data = path.read_bytes() if path.exists() else b"YUV4MPEG2 W2 H2\n"
        header, _, rest = data.partition(b"\n")
        tags = {tag[:1]: tag[1:] for tag in header.decode().split(" ")[1:]}
        self.width, self.height = int(tags["W"]), int(tags["H"])
        half = ((self.width + 1) // 2, (self.height + 1) // 2)
        self.planes = [(self.width, self.height), half, half]
        size = sum(width * height for width, height in self.planes)
        self.frames = [
            rest[at + 6 : at + 6 + size]
            for at in range(0, len(rest) - size - 5, size + 6)
        ]

    def mean(self, frame, plane, columns, rows):
        """Of a part of a plane; columns and rows as shares of its sides."""
        start = sum(width * height for width, height in self.planes[:plane])
        width, height = self.planes[plane]
        left, right = (int(share * width) for share in columns)
        top, bottom = (int(share * height) for share in rows)
        total = 0
        for y in range(top, bottom):
            total += sum(frame[start + y * width + left : start + y * width + right])
        return total / ((right - left) * (bottom - top))


def bars(name, video, frame):
    worst = 0.0
    for i, (colour, expected) in enumerate(BARS.items()):
        # Away from the bars' edges, and below the text.
        columns = ((i + 0.25) / 8, (i + 0.75) / 8)
        means = [video.mean(frame, plane, columns, (0.8, 0.95)) for plane in range(3)]
        off = max(abs(mean - right) for mean, right in zip(means, expected))
        worst = max(worst, off)
        if off > MOST_OFF:
            print(f"        {colour} is {means} and should be {expected}")
    check(worst <= MOST_OFF, f"{name}: colours of the bars, off by {worst:.1f} at most")


def streamed(name, size, least):
    ended(name, 0, f"{size[0]}x{size[1]}")
    ended(f"{name}-recv", 0)
    video = Video(name)
    check((video.width, video.height) == size, f"{name}: {video.width}x{video.height}")
    check(len(video.frames) >= least, f"{name}: {len(video.frames)} frames in the file")
    if video.frames:
        bars(name, video, video.frames[-1])
    # vivid writes the time into the picture.
    shown = [line for line in lines(f"{name}-recv") if line.get("type") == "frame"]
    different = len(set(video.frames))
    check(different >= least // 2, f"{name}: {different} different pictures, {len(shown)} frames received")
    return video


print(f"kernel {(folder / 'kernel').read_text().strip()}")
ended("list-none", 0, "no camera found")
ended("missing", 6, "there is no camera at /dev/video0", "--list-cameras")
ended("list", 0, "0\t/dev/video0\tvivid", "YUYV\t640x360\t", " fps")
ended("denied", 6, "you are not allowed to use /dev/video0", "group `video`")
ended("format", 6, "/dev/video0 does not give MJPG, only ", "--camera-format")
for code in ("YUYV", "NV12", "YU12"):
    streamed(code, (320, 180), 16)
    check(f"gives {code} 320x180 at 1 frames" in log(code), f"{code}: the mode is said")
ended("busy", 6, "/dev/video0 is in use by another program", "close the program")
ended("busy-first", 0)
text = log("replug")
nearest = r"gives \S+ 320x180 at 1 frames per second; 400x200 at 1 was asked for"
check(re.search(nearest, text), "replug: the nearest size is taken, and said")
ended("replug", 0, "there is no camera at /dev/video0; waiting for it", "the camera is back")
check(text.count("connected to") == 1, "replug: the connection lasts")
video = Video("replug")
numbers = [line["frame"] for line in lines("replug") if line.get("type") == "frame"]
before = int((folder / "replug-before").read_text())
check(numbers == sorted(set(numbers)), "replug: frame numbers ascend")
check(len(numbers) > before, f"replug: {before} frames before, {len(numbers)} in all")
gap = max((b - a for a, b in zip(numbers, numbers[1:])), default=0)
check(gap >= 15, f"replug: numbers leap by {gap}, as time went on")
if video.frames:
    bars("replug", video, video.frames[-1])
ended("replug-recv", 0)
sys.exit(f"{len(failures)} checks failed" if failures else 0)
