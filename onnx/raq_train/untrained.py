"""A model that was never trained: `python -m raq_train.untrained --config C --out FOLDER`.

The networks are the principal components of generated pictures alone, the adapters random numbers
that make lively codebooks. For tests of readers of a model, and to know how long the adapters of a
configuration take before training them.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from . import config as configuration
from . import tables
from .adapter import Adapter
from .config import CodebookConfig, Config
from .data import Crops, generate_pictures
from .export import export, read_bases
from .model import LATENT_SCALE, Autoencoder
from .train import start_basis


def random_adapter(shape: CodebookConfig, spread: Tensor) -> Adapter:
    """An adapter whose codewords have about the deviation `spread` [latent_dim], in grid units."""
    deviation = spread[: shape.lead].repeat(shape.cover**2)
    vectors = torch.randn(4 * shape.base_codewords, shape.dims) * deviation
    base = vectors[: shape.base_codewords].round().clone()
    adapter = Adapter(base, shape.max_codewords, shape.hidden, shape.chains)
    adapter.set_range(vectors)
    with torch.no_grad():
        adapter.output.normal_(0, 0.5)
        for cell in (adapter.encoder, adapter.decoder):
            cell.weight.mul_(6)
            cell.calibrate()
    return adapter


def untrained(config: Config) -> tuple[Autoencoder, dict[str, Adapter]]:
    """Networks and adapters for `config`, the same ones for the same seed."""
    torch.manual_seed(config.train.seed)
    crops = Crops(generate_pictures(8, 96, config.train.seed), 64, 16, config.train.seed)
    model = Autoencoder(config.model, config.train.chroma_weight)
    start_basis(model, crops, config.train.chroma_weight)
    with torch.no_grad():
        spread = model.encode(*crops.next()).std((0, 2, 3)) * LATENT_SCALE
    return model, {one.name: random_adapter(one, spread) for one in config.codebooks}


def milliseconds(folder: Path, manifest: dict, runs: int = 5) -> tuple[float, float]:
    """Time to load the adapters with one thread, and the median time of running all of them."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    bases = read_bases(folder, manifest)
    start = time.perf_counter()
    session = onnxruntime.InferenceSession(
        str(folder / "adapter.onnx"), options, providers=["CPUExecutionProvider"]
    )
    loaded = time.perf_counter() - start
    inputs = {f"base_{name}": base.astype(np.int32) for name, base in bases.items()}
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        session.run(None, inputs)
        times.append(time.perf_counter() - start)
    return 1e3 * loaded, 1e3 * float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    options = parser.parse_args()
    try:
        config = configuration.load(options.config)
        manifest = export(config, *untrained(config), tables.flat(config), options.out)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    loaded, run = milliseconds(options.out, manifest)
    print(f"{options.out}: codebook {manifest['codebook_digest']}")
    print(f"adapters with one thread: {loaded:.0f} ms to load, {run:.0f} ms to run")


if __name__ == "__main__":
    main()
