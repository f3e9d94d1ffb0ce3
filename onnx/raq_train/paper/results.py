"""Files of results, one for each curve, in the shape that CompressAI's tools read: `name`,
`description`, and `results` with a list for each measure. What that shape lacks stands beside it.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from .settings import Experiment

STUDENT = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36}
"""Two-sided 95 % quantiles of Student's t by degrees of freedom."""


def mean_and_interval(values: list[float]) -> tuple[float, float | None]:
    """The mean, and half of its 95 % interval; none from a single value."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None
    variance = sum((v - mean) ** 2 for v in values) / (len(values) - 1)
    return mean, STUDENT.get(len(values) - 1, 2.0) * math.sqrt(variance / len(values))


def curve(points: list[dict]) -> dict:
    """Points that were measured with several seeds, as lists by measure, sorted by K̃.

    Each point holds `codewords`, `seed` and measures.
    """
    sizes = sorted({point["codewords"] for point in points})
    keys = [key for key in points[0] if key not in ("seed", "codewords")]
    results: dict[str, list] = {"codewords": sizes}
    intervals: dict[str, list] = {}
    for key in keys:
        results[key], intervals[key] = [], []
        for size in sizes:
            values = [point[key] for point in points if point["codewords"] == size]
            mean, half = mean_and_interval(values)
            results[key].append(round(mean, 6))
            intervals[key].append(None if half is None else round(half, 6))
    return {"results": results, "interval95": intervals}


def _text(made: dict) -> str:
    """JSON with a line for each list and each point, so that changes can be read."""

    def line(value: object) -> str:
        return json.dumps(value, ensure_ascii=False)

    parts = []
    for key, value in made.items():
        if isinstance(value, dict):
            inner = ",\n".join(f"  {line(k)}: {line(v)}" for k, v in value.items())
            parts.append(f" {line(key)}: {{\n{inner}\n }}")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            inner = ",\n".join(f"  {line(one)}" for one in value)
            parts.append(f" {line(key)}: [\n{inner}\n ]")
        else:
            parts.append(f" {line(key)}: {line(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _rounded(point: dict) -> dict:
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in point.items()}


def read(folder: Path) -> dict[str, dict]:
    """All results of a folder by name. Raises ValueError where one is none."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            made = json.loads(path.read_text(encoding="utf-8"))
            found[made["name"]] = made
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"{path} holds no results: {error}; measure again") from error
    if not found:
        raise ValueError(f"there are no results in {folder}; measure first")
    return found


def write(folder: Path, experiment: Experiment, name: str, points: list[dict], extra: dict) -> None:
    """Writes `NAME.json`."""
    seeds = sorted({point["seed"] for point in points})
    data, train = experiment.data, experiment.train
    text = (
        f"{name}: {experiment.network.kind}, {data.size}x{data.size}, {train.steps} steps of "
        f"{train.batch}, {len(seeds)} seed{'s' if len(seeds) > 1 else ''}"
    )
    made = {"name": name, "description": text, **curve(points), "seeds": seeds}
    made |= {"steps": train.steps, "batch": train.batch, **extra}
    made["points"] = [_rounded(point) for point in points]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    partial = path.with_suffix(".tmp")
    partial.write_text(_text(made), encoding="utf-8")
    partial.replace(path)
