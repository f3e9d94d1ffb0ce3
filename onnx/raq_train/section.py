"""TOML as typed settings: every key belongs to a field, or is refused by name."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path


def read(path: Path) -> dict:
    """The file's tables. Raises OSError, and ValueError where it is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML: {error}") from error


def demand_known(names: dict, known: set[str], what: str) -> None:
    """Raises ValueError with those of `names` that are not known."""
    unknown = sorted(set(names) - known)
    if unknown:
        raise ValueError(f"{what} {unknown}; known are {sorted(known)}")


def section(cls: type, values: dict, where: str) -> object:
    """A table as the dataclass `cls`, lists as tuples. `where` opens what a ValueError says of an
    unknown key, or of one that is missing.
    """
    demand_known(values, {f.name for f in dataclasses.fields(cls)}, f"{where}: unknown keys")
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        return cls(**values)
    except TypeError as error:
        raise ValueError(f"{where}: {str(error).partition(' ')[2]}") from error
