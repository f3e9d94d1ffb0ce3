"""Export a finished run: `python -m raq_train.export --config C --run runs/base --out models/base`.

Writes encoder.onnx, decoder.onnx, adapter.onnx, a base codebook base_NAME.i16 for each codebook,
basis.i16, tables.json, reference.bin and manifest.json. The codebooks that the adapters generate
are not among them: both ends regenerate them and compare their digest. basis.i16 is the linear
part of encoder and decoder, i16 [D, 96] in units of 1/4096. reference.bin is one small picture and
what PyTorch makes of it, for tests of other readers of the model: luma u8 [64, 64], chroma u8
[2, 32, 32], latents f32 [8, 8, D] in grid units, and decoded from the rounded latents luma u8
[64, 64] and chroma u8 [2, 32, 32]. All numbers are little-endian.

The decoder is that of `decoder.pt` in the run's folder, or with the encoder that of `networks.pt`
where there is none (both hold weights under `average`). Each codebook's adapter is that of
`adapters/NAME.pt`. `tables.json` is the run's, or flat where it has none.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from blake3 import blake3

from . import adapter as adapter_rules
from . import adapter_graph, network_graph, tables
from . import config as configuration
from .adapter import Adapter
from .codebook import restore_adapter
from .config import Config
from .data import generate_pictures
from .model import BLOCK, LATENT_SCALE, UNQUANTISED_LEVEL, Autoencoder
from .psnr import PAD

FORMAT = 2
"""Version of the manifest; readers refuse any other."""

BASIS_ONE = 4096
"""What stands for 1 in basis.i16."""


def read_bases(folder: Path, manifest: dict) -> dict[str, np.ndarray]:
    """The base codebooks of a model folder, i16 [K, dims], by codebook name."""
    return {
        one["name"]: np.fromfile(folder / one["base_file"], "<i2").reshape(
            one["base_codewords"], one["cover"] ** 2 * one["lead"]
        )
        for one in manifest["codebooks"]
    }


def regenerate(
    adapter_file: Path, bases: dict[str, np.ndarray], threads: int = 1
) -> dict[str, np.ndarray]:
    """Run exported adapters: bases i16 [K, dims] by name to codebooks i16 [K_max, dims] by name."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        str(adapter_file), options, providers=["CPUExecutionProvider"]
    )
    inputs = {f"base_{name}": base.astype(np.int32) for name, base in bases.items()}
    outputs = session.run([f"codebook_{name}" for name in bases], inputs)
    return {name: rows.astype("<i2") for name, rows in zip(bases, outputs, strict=True)}


def digest(codebooks: Iterable[np.ndarray]) -> str:
    """BLAKE3 of codebooks one after the other, each as row-major little-endian i16."""
    hasher = blake3()
    for rows in codebooks:
        hasher.update(np.ascontiguousarray(rows, dtype="<i2").tobytes())
    return hasher.hexdigest()


@torch.no_grad()
def reference(model: Autoencoder) -> bytes:
    """The contents of reference.bin."""
    picture = generate_pictures(1, 64, seed=3)[0]
    luma, chroma = (torch.from_numpy(plane)[None].float() for plane in picture)
    latents = model.encode(luma[None], chroma) * LATENT_SCALE
    level = torch.full_like(latents[:, :1], UNQUANTISED_LEVEL)
    decoded = model.decode(latents.round() / LATENT_SCALE, level)
    parts = [plane.tobytes() for plane in picture]
    parts.append(latents[0].permute(1, 2, 0).numpy().astype("<f4").tobytes())
    parts += [plane.round().clamp(0, 255).byte().numpy().tobytes() for plane in decoded]
    return b"".join(parts)


def load_networks(config: Config, run: Path, decoder: bool = True) -> Autoencoder:
    """The averaged networks of a run, those that `raq_train.decoder` made only with `decoder`.

    Raises ValueError where it has none.
    """
    for path in (run / "decoder.pt", run / "networks.pt"):
        if path.exists() and (decoder or path.name == "networks.pt"):
            state = torch.load(path, map_location="cpu", weights_only=True)
            model = Autoencoder(config.model, config.train.chroma_weight)
            model.load_state_dict(state["average"])
            return model
    raise ValueError(f"{run} has no networks.pt: run raq_train.train")


def load_adapters(config: Config, run: Path) -> dict[str, Adapter]:
    """The adapters of all codebooks. Raises ValueError where one is missing."""
    adapters = {}
    for shape in config.codebooks:
        path = run / "adapters" / f"{shape.name}.pt"
        if not path.exists():
            raise ValueError(f"no {path}: run raq_train.fit_codebooks --name {shape.name}")
        state = torch.load(path, map_location="cpu", weights_only=True)
        if "adapter" not in state:
            raise ValueError(f"{path} has no adapter yet: finish raq_train.fit_codebooks")
        adapters[shape.name] = restore_adapter(shape, state["adapter"])
    return adapters


def load_tables(config: Config, run: Path) -> dict:
    """The tables of a run, flat ones where it has none. Raises ValueError where they do not fit."""
    path = run / "tables.json"
    return tables.read(path, config) if path.exists() else tables.flat(config)


def export(
    config: Config,
    model: Autoencoder,
    adapters: dict[str, Adapter],
    counts: dict,
    out: Path,
) -> dict:
    """Write the model folder; returns the manifest. Raises if the graph disagrees with PyTorch."""
    with torch.no_grad():
        bases = {
            name: adapter.integer_base().numpy().astype("<i2") for name, adapter in adapters.items()
        }
        expected = {
            name: adapter(integer=True).numpy().astype("<i2") for name, adapter in adapters.items()
        }

    graph = adapter_graph.build(adapters)
    manifest, codebooks = write_model(config, model, graph, bases, counts, out)
    for name, rows in codebooks.items():
        if not np.array_equal(rows, expected[name]):
            raise RuntimeError(f"the exported adapter does not emit the trained codebook {name!r}")
    return manifest


def write_model(
    config: Config,
    model: Autoencoder,
    adapter: onnx.ModelProto,
    bases: dict[str, np.ndarray],
    counts: dict,
    out: Path,
) -> tuple[dict, dict[str, np.ndarray]]:
    """Write the model folder with any graph that makes codebooks of `bases`, i16 [K, dims] by name.

    Returns the manifest and the codebooks that the graph makes here.
    """
    out.mkdir(parents=True, exist_ok=True)
    graphs = {
        "encoder.onnx": network_graph.encoder(model),
        "decoder.onnx": network_graph.decoder(model),
        "adapter.onnx": adapter,
    }
    for name, graph in graphs.items():
        (out / name).write_bytes(graph.SerializeToString(deterministic=True))
    others = {f"base_{name}.i16": base.tobytes() for name, base in bases.items()}
    basis = model.encoder.basis.detach().double().numpy() * BASIS_ONE
    others["basis.i16"] = basis.round().astype("<i2").tobytes()
    others["tables.json"] = (json.dumps(counts, separators=(",", ":")) + "\n").encode()
    others["reference.bin"] = reference(model)
    for name, data in others.items():
        (out / name).write_bytes(data)
    codebooks = regenerate(out / "adapter.onnx", bases)

    files = {}
    for name in [*graphs, *others]:
        data = (out / name).read_bytes()
        files[name] = {"bytes": len(data), "blake3": blake3(data).hexdigest()}
    places = {codebook.name: place for place, codebook in enumerate(config.codebooks)}
    manifest = {
        "format": FORMAT,
        "name": config.name,
        "latent_dim": config.model.latent_dim,
        "block": BLOCK,
        "pad": PAD,
        "latent_scale": LATENT_SCALE,
        "chroma_weight": config.train.chroma_weight,
        "codeword_limit": adapter_rules.CODEWORD_LIMIT,
        "unquantised_depth": UNQUANTISED_LEVEL,
        "codebooks": [
            {
                "name": one.name,
                "cover": one.cover,
                "lead": one.lead,
                "base_codewords": one.base_codewords,
                "max_codewords": one.max_codewords,
                "base_file": f"base_{one.name}.i16",
            }
            for one in config.codebooks
        ],
        "stages": [
            {"codebook": places[stage.codebook], "shift": stage.shift} for stage in config.stages
        ],
        "files": files,
        "codebook_digest": digest(codebooks.values()),
    }
    text = json.dumps(manifest, indent=2) + "\n"
    (out / "manifest.json").write_text(text, encoding="utf-8")
    return manifest, codebooks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True, help="folder of a finished run")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    options = parser.parse_args()
    try:
        config = configuration.load(options.config)
        model, adapters = load_networks(config, options.run), load_adapters(config, options.run)
        counts = load_tables(config, options.run)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    manifest = export(config, model, adapters, counts, options.out)
    print(f"{options.out}: codebook {manifest['codebook_digest']}")


if __name__ == "__main__":
    main()
