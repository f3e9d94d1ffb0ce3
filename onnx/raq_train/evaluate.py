"""Measure an exported model: `python -m raq_train.evaluate --model models/base [--run runs/base]`.

Everything runs on the exported ONNX files, as the programs do. Prints two tables and writes them to
`metrics.json` beside the model: PSNR-Y over the codebook sizes with JPEG beside it, and (with
`--run`, which has the latents) the codebook's distance from a learned table and from k-means.
"""

from __future__ import annotations

import argparse
import io
import json
import math
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from PIL import Image

from .codebook import GAP_SIZES, relative_db
from .data import Planes, data_root, picture_files, to_planes
from .export import read_bases, regenerate
from .psnr import pad_planes, psnr_luma
from .table import CHUNK, LLOYD_STEPS, fit, ladder, nearest

SIZES = [2, 8, 32, 128, 512, 2048, 4096]
KMEANS_SIZES = [256, 1024]


class Exported:
    """The sessions of a model folder, and its codebook for single positions.

    Raises ValueError where no codebook codes one position with all its components.
    """

    def __init__(self, folder: Path) -> None:
        self.manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        cpu = ["CPUExecutionProvider"]
        self.encoder = onnxruntime.InferenceSession(str(folder / "encoder.onnx"), providers=cpu)
        self.decoder = onnxruntime.InferenceSession(str(folder / "decoder.onnx"), providers=cpu)
        codebooks = regenerate(folder / "adapter.onnx", read_bases(folder, self.manifest))
        whole = [
            codebooks[one["name"]]
            for one in self.manifest["codebooks"]
            if (one["cover"], one["lead"]) == (1, self.manifest["latent_dim"])
        ]
        if not whole:
            raise ValueError(f"{folder} has no codebook for single positions to measure")
        self.codebook = whole[0]

    def encode(self, picture: Planes) -> np.ndarray:
        """Latents f32 [1, h, w, D] on the integer grid."""
        luma, chroma = pad_planes(picture)
        return np.rint(self.encoder.run(None, {"luma": luma, "chroma": chroma})[0])

    def decode(self, latents: np.ndarray, depth: float) -> np.ndarray:
        """Luma u8 [1, 1, H, W]."""
        plane = np.full(latents.shape[:3], depth, np.float32)
        return self.decoder.run(["luma"], {"latents": latents, "depth": plane})[0]

    def quantise(self, latents: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
        """The nearest codewords of every size, each shaped like `latents`."""
        rows = torch.from_numpy(latents.reshape(-1, latents.shape[-1]))
        table = torch.from_numpy(self.codebook.astype(np.float32))
        indices = torch.cat([nearest(part, table, sizes)[0] for part in rows.split(CHUNK)], 1)
        return [table[one].numpy().reshape(latents.shape) for one in indices]


def jpeg_psnr(image: Image.Image, reference: Planes, bpp: float) -> tuple[float, bool]:
    """PSNR-Y of Pillow's JPEG at `bpp` (whole file), quality interpolated.

    Where even quality 1 is larger, its figure counts and the second value is True.
    """
    sizes, values = [], []
    for quality in range(1, 101):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality, optimize=True)
        decoded = Image.open(file)
        decoded.draft("YCbCr", decoded.size)
        luma = np.asarray(decoded)[: reference[0].shape[0], : reference[0].shape[1], 0]
        sizes.append(8 * file.getbuffer().nbytes / reference[0].size)
        values.append(psnr_luma(luma[None, None], reference))
        if sizes[-1] > bpp:
            break
    return float(np.interp(bpp, sizes, values)), sizes[0] > bpp


def measure_pictures(model: Exported, files: list[Path]) -> dict:
    """PSNR-Y per codebook size, unquantised and of JPEG at the largest size's rate."""
    largest = len(model.codebook)
    sizes = sorted({size for size in SIZES if size < largest} | {largest})
    bpp = math.log2(sizes[-1]) / model.manifest["block"] ** 2
    rows, capped = [], []
    for path in files:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        picture = to_planes(image)
        latents = model.encode(picture)
        unquantised = model.decode(latents, model.manifest["unquantised_depth"])
        coded = [
            psnr_luma(model.decode(rows_of_size, math.log2(size)), picture)
            for size, rows_of_size in zip(sizes, model.quantise(latents, sizes), strict=True)
        ]
        jpeg, smallest = jpeg_psnr(image, picture, bpp)
        if smallest:
            capped.append(path.name)
        rows.append([psnr_luma(unquantised, picture), *coded, jpeg])
    mean = np.mean(rows, axis=0).round(3).tolist()
    return {
        "pictures": [path.name for path in files],
        "codewords": sizes,
        "results": {
            "bpp": [round(math.log2(size) / model.manifest["block"] ** 2, 4) for size in sizes],
            "psnr-y": mean[1:-1],
        },
        "unquantised_psnr_y": mean[0],
        "jpeg_psnr_y": mean[-1],
        "jpeg_bpp": bpp,
        "jpeg_quality_1_is_larger": capped,
    }


def measure_codebook(model: Exported, run: Path) -> dict:
    """Held-out latent distortion in dB of the variance: codebook, learned table, k-means.

    Once with every latent equal, once weighted by importance, as the codebook is trained. Tables
    and k-means are learned here for each of the two, from the same latents.
    """
    state = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)
    generated = torch.from_numpy(model.codebook.astype(np.float32))
    largest = len(generated)
    sizes = [size for size in GAP_SIZES if size <= largest]
    result = {
        "held_out_latents": len(state["held"]),
        "training_latents": len(state["latents"]),
        "codewords": sizes,
    }
    for kind in ("equal", "importance"):
        learned, held = state["latents_importance"], state["held_importance"]
        if kind == "equal":
            learned, held = torch.ones_like(learned), torch.ones_like(held)

        def db(table: torch.Tensor, levels: list[int], held: torch.Tensor = held) -> list[float]:
            return [round(v, 3) for v in relative_db(state["held"], held, table, levels)]

        def learn(size: int, levels: list[int], learned: torch.Tensor = learned) -> torch.Tensor:
            torch.manual_seed(size)
            return fit(state["latents"], learned, size, levels, LLOYD_STEPS)[0]

        kmeans = {
            size: db(learn(size, [size]), [size])[0] for size in KMEANS_SIZES if size <= largest
        }
        result[kind] = {
            "generated_db": db(generated, sizes),
            "table_db": db(learn(largest, ladder(largest)), sizes),
            "kmeans_db": {str(size): value for size, value in kmeans.items()},
        }
    return result


def print_tables(metrics: dict) -> None:
    """The two tables in Markdown."""
    pictures = metrics["kodak"]
    print("| codewords | bit/pixel | PSNR-Y dB |\n| --- | --- | --- |")
    for size, bpp, psnr in zip(pictures["codewords"], *pictures["results"].values(), strict=True):
        print(f"| {size} | {bpp:.4f} | {psnr:.2f} |")
    print(f"| unquantised | – | {pictures['unquantised_psnr_y']:.2f} |")
    print(f"| JPEG | {pictures['jpeg_bpp']:.4f} | {pictures['jpeg_psnr_y']:.2f} |")
    print("quality 1 larger than that:", ", ".join(pictures["jpeg_quality_1_is_larger"]) or "none")
    for kind in ("equal", "importance"):
        if "codebook" not in metrics:
            break
        sizes, values = metrics["codebook"]["codewords"], metrics["codebook"][kind]
        print(f"\nlatents weighted: {kind}")
        print("| codewords | generated | learned table | gap dB | k-means |")
        print("| --- | --- | --- | --- | --- |")
        columns = (values["generated_db"], values["table_db"])
        for size, ours, table in zip(sizes, *columns, strict=True):
            kmeans = values["kmeans_db"].get(str(size))
            last = "–" if kmeans is None else f"{kmeans:.2f}"
            print(f"| {size} | {ours:.2f} | {table:.2f} | {ours - table:.2f} | {last} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--run", type=Path, help="folder of the run; adds the codebook's table")
    parser.add_argument("--pictures", type=Path, default=data_root() / "kodak")
    options = parser.parse_args()
    files = picture_files(options.pictures)
    if not files:
        parser.error(f"no pictures in {options.pictures}; set RAQ_DATA or --pictures")
    model = Exported(options.model)
    path = options.model / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if metrics.get("codebook_digest") != model.manifest["codebook_digest"]:
        metrics = {}
    metrics |= {
        "name": model.manifest["name"],
        "description": "PSNR of the 8-bit luma plane; mean over pictures; no entropy coding",
        "codebook_digest": model.manifest["codebook_digest"],
        "kodak": measure_pictures(model, files),
    }
    if options.run:
        metrics["codebook"] = measure_codebook(model, options.run)
    path.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    print_tables(metrics)


if __name__ == "__main__":
    main()
