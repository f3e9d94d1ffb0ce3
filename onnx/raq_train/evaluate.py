"""Measure an exported model: `python -m raq_train.evaluate --model models/base --run RUN`.

RUN is the folder of the run that made it. Prints, and writes to `metrics.json` beside the model:

- per codebook, as the exported adapter emits it, how far it is behind a nested table learned
  directly from the same vectors (positive: worse), by codewords;
- how well the distance of latents tracks the pixels' error on the held clips;
- PSNR-Y of repeated pictures, coded and not quantised, at the end of their sequences;
- what the decoder of integers loses on the held clips, where the model has one;
- PSNR-Y of held-out pictures that are not quantised (`--pictures`).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from . import coded, gaps, quantize, tracking
from . import config as configuration
from .coded import Coded
from .config import Config
from .data import Planes, data_root, picture_files, to_planes
from .export import load_networks, read_bases, regenerate
from .model import Autoencoder
from .psnr import mean_psnr, pad_planes, psnr_luma


class Exported:
    """The networks of a model folder, as the programs run them."""

    def __init__(self, folder: Path) -> None:
        self.manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        cpu = ["CPUExecutionProvider"]
        self.encoder = onnxruntime.InferenceSession(str(folder / "encoder.onnx"), providers=cpu)
        self.decoder = onnxruntime.InferenceSession(str(folder / "decoder.onnx"), providers=cpu)

    def unquantised(self, picture: Planes) -> float:
        """PSNR-Y of a picture whose latents are only rounded to the grid."""
        luma, chroma = pad_planes(picture)
        latents = np.rint(self.encoder.run(None, {"luma": luma, "chroma": chroma})[0])
        level = np.full(latents.shape[:3], self.manifest["unquantised_depth"], np.float32)
        decoded = self.decoder.run(["luma"], {"latents": latents, "depth": level})[0]
        return psnr_luma(decoded, picture)


def measure_pictures(model: Exported, files: list[Path]) -> dict:
    """Mean PSNR-Y without quantisation."""
    values = []
    for path in files:
        with Image.open(path) as image:
            values.append(model.unquantised(to_planes(image.convert("RGB"))))
    return {
        "pictures": [path.name for path in files],
        "unquantised_psnr_y": round(float(np.mean(values)), 3),
    }


def measure_stills(model: Autoencoder, held: list[Coded]) -> dict:
    """Per repeated picture: PSNR-Y of the last frame, and of the picture not quantised."""
    result = {}
    for one in held:
        if not one.name.startswith("still_"):
            continue
        last = len(one.sums) - 1
        limit = mean_psnr(model, [(one.luma[last], one.chroma[last])])
        result[one.name] = {
            "coded_psnr_y": round(one.psnr(model, last), 2),
            "unquantised_psnr_y": round(limit, 2),
        }
    return result


def measure_int8(folder: Path, held: list[Coded]) -> dict:
    """PSNR-Y of decoder_int8.onnx less that of decoder.onnx, frame by frame, dB."""
    both = [
        onnxruntime.InferenceSession(str(folder / name), providers=["CPUExecutionProvider"])
        for name in (quantize.DECODER, quantize.INT8)
    ]
    more = []
    for one in held:
        last = len(one.sums) - 1
        for frame in sorted({min(10, last), last // 2, last}):
            given, picture = quantize.inputs(one, frame), (one.luma[frame], one.chroma[frame])
            exact, rounded = (
                psnr_luma(session.run(["luma"], given)[0], picture) for session in both
            )
            more.append(rounded - exact)
    return {
        "frames": len(more),
        "mean_psnr_y": round(float(np.mean(more)), 3),
        "worst_psnr_y": round(float(np.min(more)), 3),
    }


def measure_run(config: Config, folder: Path, manifest: dict, run: Path) -> dict:
    """What needs the run's vectors and sequences. Raises ValueError where they are missing."""
    codebooks = regenerate(folder / "adapter.onnx", read_bases(folder, manifest))
    model, held = load_networks(config, run), list(coded.load(config, run, held=True))
    metrics = {
        "codebook_gap_db": gaps.measure(config.codebooks, codebooks, run, config.train.seed),
        "tracking": tracking.measure(model, held),
        "stills": measure_stills(model, held),
    }
    if quantize.INT8 in manifest["files"]:
        metrics["int8"] = measure_int8(folder, held)
    return metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--run", type=Path, help="folder of the run that made it")
    parser.add_argument("--pictures", type=Path, default=data_root() / "kodak")
    options = parser.parse_args()
    metrics: dict = {}
    try:
        exported = Exported(options.model)
        if options.run:
            config = configuration.load(options.run / "config.toml")
            metrics |= measure_run(config, options.model, exported.manifest, options.run)
        files = picture_files(options.pictures)
        if files:
            metrics["pictures"] = measure_pictures(exported, files)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    text = json.dumps(metrics, indent=2) + "\n"
    (options.model / "metrics.json").write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
