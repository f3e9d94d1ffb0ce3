"""`tables.json`: how often each symbol of an update occurs, from which both ends code datagrams.

`bands`, the finest first, holds for each band of quality the counts of `start` (reset, keep, copy,
copy by quarters), `filter`, `magnitude` (bits of a displacement's difference), `base` (floor, 1 to
14 frames before, more), per stage those of `blocks` (how many blocks of a tile are refined) and
`class` (bits of index + 1, less one), and per stage `codewords`, of how many indices choose. The
program `raq-sim vectors` counts them.
"""

from __future__ import annotations

import json
from pathlib import Path

from .config import Config

BANDS = 5
STARTS = 4
FILTERS = 3
MAGNITUDES = 8
BASES = 16
TILE = 4
"""Positions on a side of a tile."""


def flat(config: Config) -> dict:
    """Tables for a model that no updates were counted with: every symbol alike, all codewords."""
    stages = [config.codebook(stage.codebook) for stage in config.stages]
    band = {
        "start": [1] * STARTS,
        "filter": [1] * FILTERS,
        "magnitude": [1] * MAGNITUDES,
        "base": [1] * BASES,
        "blocks": [[1] * ((TILE // one.cover) ** 2 + 1) for one in stages],
        "class": [[1 << c for c in range(one.max_codewords.bit_length())] for one in stages],
        "codewords": [one.max_codewords for one in stages],
    }
    return {"bands": [band] * BANDS}


def add(parts: list[dict]) -> dict:
    """The sum of several tables for the same stages; K̃ is the first one's."""

    def total(values: list) -> object:
        first = values[0]
        if isinstance(first, dict):
            return {
                key: first[key] if key == "codewords" else total([one[key] for one in values])
                for key in first
            }
        if isinstance(first, list):
            return [total(list(column)) for column in zip(*values, strict=True)]
        return sum(values)

    if not parts:
        raise ValueError("no counts to add: code at least one clip that is not held")
    return total(parts)


def use_of_rows(tables: dict, config: Config, name: str) -> list[float]:
    """How often the datagrams chose each row of the codebook `name` [K_max], all stages and bands
    together; rows of a class alike. The sum is one, or all are alike where none was chosen.
    """
    stages = [n for n, stage in enumerate(config.stages) if stage.codebook == name]
    classes = [0.0] * config.codebook(name).max_codewords.bit_length()
    for band in tables["bands"]:
        for stage in stages:
            for number, count in enumerate(band["class"][stage]):
                classes[number] += count
    rows = [(row + 1).bit_length() - 1 for row in range(config.codebook(name).max_codewords)]
    use = [count / max(1, rows.count(number)) for number, count in enumerate(classes)]
    total = sum(classes)
    return [use[number] / total if total else 1 / len(rows) for number in rows]


def read(path: Path, config: Config) -> dict:
    """The tables in a file. Raises ValueError where they are for other stages."""
    tables = json.loads(path.read_text(encoding="utf-8"))
    expected = flat(config)
    if _shape(tables) != _shape(expected):
        raise ValueError(f"{path} is not for the stages of {config.name!r}: count it again")
    pairs = zip(tables["bands"], expected["bands"], strict=True)
    if any(
        not 1 <= codewords <= most
        for band, all_of in pairs
        for codewords, most in zip(band["codewords"], all_of["codewords"], strict=True)
    ):
        raise ValueError(f"{path} names more codewords than there are, or none: count it again")
    return tables


def _shape(value: object) -> object:
    """What is left of JSON without its numbers."""
    if isinstance(value, dict):
        return {key: _shape(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_shape(part) for part in value]
    return type(value)
