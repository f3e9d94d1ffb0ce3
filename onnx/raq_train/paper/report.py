"""Tables and plots of results: `python -m raq_train.paper.report --results results/cifar10`.

Writes `tables.md` and a plot (SVG) of each measure, and of clusterings, into the folder. `--beside
FILE` sets the figures of a publication beside ours, curve by curve.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

from . import results

MEASURES = {
    "psnr-rgb": ("PSNR, dB", 2),
    "ssim-rgb": ("SSIM", 4),
    "st-lpips": ("ST-LPIPS (lower is better)", 4),
    "fid": ("FID (lower is better)", 1),
    "perplexity": ("perplexity", 1),
    "used": ("codewords used", 0),
    "bpp-entropy": ("bits per pixel after an order-0 coder", 4),
    "latent-mse": ("squared distance of latents", 5),
}
PLOTTED = ("psnr-rgb", "ssim-rgb", "st-lpips", "fid")
BASE = "fixed"


def values(made: dict, measure: str) -> dict[int, tuple[float, float | None]]:
    """Mean and half interval by K̃."""
    found = made["results"]
    if measure not in found:
        return {}
    columns = zip(found["codewords"], found[measure], made["interval95"][measure], strict=True)
    return {size: (mean, half) for size, mean, half in columns}


def table(found: dict[str, dict], measure: str, names: list[str]) -> list[str]:
    """A curve a line, a K̃ a column."""
    title, digits = MEASURES[measure]
    rows = {name: values(found[name], measure) for name in names}
    sizes = sorted({size for row in rows.values() for size in row})
    if not sizes:
        return []
    lines = [f"### {title}", "", "| K̃ | " + " | ".join(map(str, sizes)) + " |"]
    lines.append("| --- |" + " --- |" * len(sizes))
    for name, row in rows.items():
        cells = []
        for size in sizes:
            mean, half = row.get(size, (None, None))
            text = "–" if mean is None else f"{mean:.{digits}f}"
            cells.append(text if half is None else f"{text} ± {half:.{digits}f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def gaps(found: dict[str, dict], names: list[str], other: dict | None) -> list[str]:
    """PSNR less that of the base line, ours and theirs."""
    if BASE not in found:
        return []
    base = values(found[BASE], "psnr-rgb")
    theirs = (other or {}).get("psnr-rgb", {})
    sizes = sorted(base)
    lines = [f"### PSNR less that of `{BASE}`, dB", ""]
    lines += ["| K̃ | " + " | ".join(map(str, sizes)) + " |", "| --- |" + " --- |" * len(sizes)]

    def row(name: str, there: dict[int, float], own: dict[int, float]) -> str:
        cells = [
            f"{there[size] - own[size]:+.2f}" if size in there and size in own else "–"
            for size in sizes
        ]
        return f"| {name} | " + " | ".join(cells) + " |"

    own = {size: mean for size, (mean, _) in base.items()}
    for name in names:
        if name == BASE:
            continue
        there = {size: mean for size, (mean, _) in values(found[name], "psnr-rgb").items()}
        if set(there) & set(sizes):
            lines.append(row(name, there, own))
    published = {int(size): value for size, value in theirs.get(BASE, {}).items()}
    for name, points in theirs.items():
        if name != BASE:
            there = {int(size): value for size, value in points.items()}
            lines.append(row(f"*published: {name}*", there, published))
    return [*lines, ""]


def plot(found: dict[str, dict], measure: str, names: list[str], path: Path) -> bool:
    """Rate against the measure; whether there is anything to see."""
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    drawn = False
    for number, name in enumerate(names):
        made = found[name]
        points = values(made, measure)
        if not points:
            continue
        drawn = True
        rates = made["results"]["bpp-entropy"]
        means = [mean for mean, _ in points.values()]
        halves = [half or 0.0 for _, half in points.values()]
        style = ("-", "--", ":")[number // 10 % 3]
        axes.errorbar(rates, means, halves, label=name, marker="o", ms=3, lw=1, ls=style, capsize=2)
    axes.set_xlabel("bits per pixel after an order-0 coder")
    axes.set_ylabel(MEASURES[measure][0])
    axes.grid(alpha=0.3)
    if drawn:
        axes.legend(fontsize=7, ncols=2)
        figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return drawn


def plot_convergence(found: dict[str, dict], path: Path) -> bool:
    """How clusterings went from each start, a line for each seed; whether there were any.

    Of each kind (DKM, IKM) the middle one of its sizes.
    """
    kinds: dict[str, list[tuple[str, dict]]] = {}
    for name, made in found.items():
        if made.get("convergence"):
            kind, _, start = name.partition("km-")
            kinds.setdefault(kind + "km", []).extend((start, one) for one in made["convergence"])
    if not kinds:
        return False
    figure, plots = plt.subplots(
        1, len(kinds), figsize=(5 * len(kinds), 4), layout="constrained", squeeze=False
    )
    for axes, (kind, curves) in zip(plots[0], sorted(kinds.items()), strict=True):
        sizes = sorted({one["codewords"] for _, one in curves})
        middle = sizes[len(sizes) // 2]
        starts = sorted({start for start, _ in curves})
        named = set()
        for start, one in curves:
            if one["codewords"] == middle:
                steps = range(1, len(one["curve"]) + 1)
                label = None if start in named else start
                colour = f"C{starts.index(start)}"
                axes.plot(steps, one["curve"], color=colour, label=label, lw=0.8)
                named.add(start)
        axes.set(title=f"{kind}, K̃ = {middle}", xlabel="step", ylabel="objective")
        axes.set(xscale="log", yscale="log")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--beside", type=Path, metavar="FILE", help="published figures")
    options = parser.parse_args()
    try:
        found = results.read(options.results)
        other = json.loads(options.beside.read_text("utf-8")) if options.beside else None
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    # The same ids in every drawing of the same figures.
    mpl.rcParams["svg.hashsalt"] = "raq"
    names = sorted(found, key=lambda name: (name != BASE, name))
    lines = [f"# {options.results.name}", ""]
    lines += [found[names[0]]["description"].partition(": ")[2] + ".", ""]
    lines += gaps(found, names, other)
    for measure in MEASURES:
        lines += table(found, measure, names)
    if other:
        lines += [f"Published: {other['source']}.", ""]
    for measure in PLOTTED:
        name = f"{measure}.svg"
        if plot(found, measure, names, options.results / name):
            lines += [f"![{MEASURES[measure][0]}]({name})", ""]
    if plot_convergence(found, options.results / "convergence.svg"):
        lines += ["![Convergence of clusterings](convergence.svg)", ""]
    (options.results / "tables.md").write_text("\n".join(lines), encoding="utf-8")
    print(f"{len(names)} curves in {options.results / 'tables.md'}")


if __name__ == "__main__":
    main()
