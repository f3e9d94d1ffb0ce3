"""A stand-in for `raq-sim vectors`: a codec that adds noise to latents, less and less of it."""

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime

from raq_train import tables, y4m
from raq_train.config import CodebookConfig, Config, ModelConfig, StageConfig


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    parser.add_argument("--input", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--codebooks", type=Path)
    parser.add_argument("--frames", type=int)
    parser.add_argument("--rates")
    parser.add_argument("--speed")
    options = parser.parse_args()
    assert options.command == "vectors"
    options.out.mkdir(parents=True)
    manifest = json.loads((options.model / "manifest.json").read_text())
    encoder = onnxruntime.InferenceSession(str(options.model / "encoder.onnx"))
    luma, chroma = y4m.read(options.input)
    rng = np.random.default_rng(1)
    for rate in options.rates.split(","):
        sums, levels = [], []
        for t in range(options.frames):
            latents = encoder.run(None, {"luma": luma[t][None, None], "chroma": chroma[t][None]})[0]
            noise = rng.exponential(1, (*latents.shape[1:3], 1)) * 40 / (1 + t)
            noisy = latents[0] + noise * rng.normal(0, 1, latents.shape[1:])
            sums.append(noisy.round().astype(np.int16))
            levels.append(np.full(latents.shape[1:3], 50 + 2 * t, np.uint8))
        stem = options.out / f"{options.input.stem}.{rate}"
        np.save(f"{stem}.sums.npy", np.stack(sums))
        np.save(f"{stem}.depth.npy", np.stack(levels))
    books = [
        CodebookConfig(one["name"], "residuals", one["cover"], one["lead"], 1, one["max_codewords"])
        for one in manifest["codebooks"]
    ]
    for one in books:
        rows = rng.normal(0, 30, (400, 1 + one.dims)).astype(np.float32)
        rows[:, 0] = 1
        np.save(options.out / f"{one.name}.vectors.npy", rows)
    stages = [StageConfig(books[s["codebook"]].name, s["shift"]) for s in manifest["stages"]]
    config = Config("stand-in", ModelConfig(manifest["latent_dim"]), tuple(books), tuple(stages))
    counts = tables.flat(config)
    counts["bands"][0]["start"][0] = 7
    (options.out / "counts.json").write_text(json.dumps(counts))


if __name__ == "__main__":
    main()
