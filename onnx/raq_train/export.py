"""Export a finished run: `python -m raq_train.export --config C --run runs/base --out models/base`.

Writes encoder.onnx, decoder.onnx, adapter.onnx, base_codebook.i16, reference.bin and manifest.json.
The codebook that the adapter generates is not among them: both ends regenerate it and compare its
digest. reference.bin is one small picture and what PyTorch makes of it, for tests of other readers
of the model: luma u8 [64, 64], chroma u8 [2, 32, 32], latents f32 [8, 8, D] in grid units, and
decoded from the rounded latents luma u8 [64, 64] and chroma u8 [2, 32, 32]; little-endian.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from blake3 import blake3

from . import adapter as adapter_rules
from . import adapter_graph, network_graph
from . import config as configuration
from .codebook import start_adapter
from .config import Config
from .data import generate_pictures
from .model import BLOCK, LATENT_SCALE, UNQUANTISED_DEPTH, Autoencoder
from .psnr import PAD

FORMAT = 1
"""Version of the manifest; readers refuse a newer one."""


def regenerate(adapter_file: Path, base: np.ndarray, threads: int = 1) -> np.ndarray:
    """Run an exported adapter: base i16 [K, D] to codebook i16 [K_max, D]."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        str(adapter_file), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"base": base.astype(np.int32)})[0].astype("<i2")


def digest(rows: np.ndarray) -> str:
    """BLAKE3 of a codebook as row-major little-endian i16."""
    return blake3(np.ascontiguousarray(rows, dtype="<i2").tobytes()).hexdigest()


@torch.no_grad()
def reference(model: Autoencoder) -> bytes:
    """The contents of reference.bin."""
    picture = generate_pictures(1, 64, seed=3)[0]
    luma, chroma = (torch.from_numpy(plane)[None].float() for plane in picture)
    latents = model.encode(luma[None], chroma) * LATENT_SCALE
    depth = torch.full_like(latents[:, :1], UNQUANTISED_DEPTH)
    decoded = model.decode(latents.round() / LATENT_SCALE, depth)
    parts = [plane.tobytes() for plane in picture]
    parts.append(latents[0].permute(1, 2, 0).numpy().astype("<f4").tobytes())
    parts += [plane.round().clamp(0, 255).byte().numpy().tobytes() for plane in decoded]
    return b"".join(parts)


def export(config: Config, state: dict, out: Path) -> dict:
    """Write the model folder; returns the manifest. Raises if the graph disagrees with PyTorch."""
    out.mkdir(parents=True, exist_ok=True)
    model = Autoencoder(config.model, config.train.chroma_weight)
    model.load_state_dict(state["average"])
    adapter = start_adapter(config.codebook, state["table"], state["latents"])
    adapter.load_state_dict(state["adapter"])
    with torch.no_grad():
        base = adapter.integer_base().numpy().astype("<i2")
        expected = adapter(integer=True).numpy().astype("<i2")

    graphs = {
        "encoder.onnx": network_graph.encoder(model),
        "decoder.onnx": network_graph.decoder(model),
        "adapter.onnx": adapter_graph.build(adapter),
    }
    for name, graph in graphs.items():
        (out / name).write_bytes(graph.SerializeToString(deterministic=True))
    others = {"base_codebook.i16": base.tobytes(), "reference.bin": reference(model)}
    for name, data in others.items():
        (out / name).write_bytes(data)
    codebook = regenerate(out / "adapter.onnx", base)
    if not np.array_equal(codebook, expected):
        raise RuntimeError("the exported adapter does not emit the codebook that was trained")

    files = {}
    for name in [*graphs, *others]:
        data = (out / name).read_bytes()
        files[name] = {"bytes": len(data), "blake3": blake3(data).hexdigest()}
    manifest = {
        "format": FORMAT,
        "name": config.name,
        "latent_dim": config.model.latent_dim,
        "block": BLOCK,
        "pad": PAD,
        "base_codewords": config.codebook.base_codewords,
        "max_codewords": config.codebook.max_codewords,
        "latent_scale": LATENT_SCALE,
        "chroma_weight": config.train.chroma_weight,
        "codeword_limit": adapter_rules.CODEWORD_LIMIT,
        "unquantised_depth": UNQUANTISED_DEPTH,
        "files": files,
        "codebook_digest": digest(codebook),
    }
    text = json.dumps(manifest, indent=2) + "\n"
    (out / "manifest.json").write_text(text, encoding="utf-8")
    return manifest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True, help="folder of a finished run")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    options = parser.parse_args()
    config = configuration.load(options.config)
    path = options.run / "checkpoint.pt"
    state = torch.load(path, map_location="cpu", weights_only=True)
    if "adapter" not in state:
        parser.error(f"{path} has no adapter yet (phase {state.get('phase')}): finish the training")
    manifest = export(config, state, options.out)
    print(f"{options.out}: codebook {manifest['codebook_digest']}")


if __name__ == "__main__":
    main()
