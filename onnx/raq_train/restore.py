"""A run from a model: `python -m raq_train.restore --model models/base --config C --run RUN`.

Writes what `raq_train.export` reads: `config.toml`, `networks.pt`, `adapters/NAME.pt` with its
`.json`, and `tables.json`; and as `tables/NAME.npy` what the adapters emit. The weights are those
of the graphs, so that the codebooks come out the same; training can go on from there: sequences,
vectors, tables, adapters, decoder.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from . import adapter as rules
from . import config as configuration
from . import model as model_rules
from .adapter import Adapter, Cell
from .config import Config
from .export import read_bases
from .fit_codebooks import save_table
from .model import LATENT_SCALE, Autoencoder

Numbers = dict[str, Tensor]
"""Constants of a graph by name."""


def constants(path: Path) -> Numbers:
    """Those of the outermost graph of a file."""
    graph = onnx.load(path).graph
    return {
        one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in graph.initializer
    }


def _fill(layer: nn.Conv2d, found: Numbers, name: str, scale: float | Tensor = 1.0) -> None:
    weight, bias = found[f"{name}_weight"], found[f"{name}_bias"]
    factor = torch.as_tensor(scale)
    layer.weight.copy_(weight / factor.reshape(-1, 1, 1, 1))
    layer.bias.copy_(bias / factor)


def _fill_blocks(trunk: nn.Sequential, found: Numbers) -> None:
    for n, block in enumerate(list(trunk)[1:-1]):
        for k, layer in enumerate(block.spatial):
            _fill(layer, found, f"block{n}_spatial{k}")
        _fill(block.widen, found, f"block{n}_widen")
        _fill(block.narrow, found, f"block{n}_narrow")


@torch.no_grad()
def networks(config: Config, folder: Path) -> Autoencoder:
    """Encoder and decoder of a model folder. Raises ValueError where their sizes are others."""
    model = Autoencoder(config.model, config.train.chroma_weight)
    if model.encoder.trunk is not None:
        raise ValueError("encoders with a network branch cannot be restored; train anew")
    try:
        found = constants(folder / "encoder.onnx")
        luma = found["luma_in_weight"].flatten(1)
        chroma = found["chroma_in_weight"].flatten(1) / model.chroma_weight
        basis = torch.cat([luma, chroma], 1) / LATENT_SCALE
        model.encoder.basis.copy_(basis)
        model.decoder.basis.copy_(basis)
        found = constants(folder / "decoder.onnx")
        trunk, dim = model.decoder.trunk, config.model.latent_dim
        # The graph has the spread in the weights: a spread of one leaves it there.
        weight = found["in_weight"].clone()
        weight[:, :dim] *= LATENT_SCALE
        trunk[0].weight.copy_(weight)
        trunk[0].bias.copy_(found["in_bias"])
        _fill_blocks(trunk, found)
        gain = torch.full((model_rules.PATCH,), model_rules._GAIN)
        gain[model_rules.BLOCK**2 :] /= model.chroma_weight
        found["out_bias"] = found["out_bias"] - 128.0
        _fill(trunk[-1], found, "out", gain)
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"{folder} is no model of this configuration: {error}") from error
    return model


def _fill_cell(cell: Cell, found: Numbers, name: str) -> None:
    scale = found[f"{name}_scale"][0]
    bits = torch.log2(rules.LUT_STEP / scale) - rules.UNIT_BITS
    cell.bits.copy_(bits)
    cell.weight.copy_(found[f"{name}_weight"].float() * 2.0**-bits)


@torch.no_grad()
def adapters(config: Config, folder: Path) -> dict[str, Adapter]:
    """The adapters of a model folder. Raises ValueError where their sizes are others."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    bases, found = read_bases(folder, manifest), constants(folder / "adapter.onnx")
    made = {}
    for shape in config.codebooks:
        try:
            base = torch.from_numpy(bases[shape.name].astype(np.float32))
            one = Adapter(base, shape.max_codewords, shape.hidden, shape.chains)
            for which in ("encoder", "decoder"):
                _fill_cell(getattr(one, which), found, f"{shape.name}_{which}")
            one.output.copy_(found[f"{shape.name}_output_weight"].float() / rules.OUTPUT_ONE)
            unit = math.log2(rules.OUTPUT_ONE) + rules.UNIT_BITS
            one.output_bits.copy_(torch.log2(found[f"{shape.name}_output_scale"][0]) + unit)
            one.input_bits.copy_(-torch.log2(found[f"{shape.name}_input_scale"][0]))
            one.start.copy_(found[f"{shape.name}_start"][0])
            one.order.copy_(found[f"{shape.name}_order"])
        except (KeyError, RuntimeError) as error:
            raise ValueError(
                f"{folder} has no codebook {shape.name!r} of this configuration: {error}"
            ) from error
        made[shape.name] = one
    return made


@torch.no_grad()
def restore(config: Config, folder: Path, run: Path) -> None:
    """Write the run's files. Raises OSError, and ValueError where the configuration is another."""
    model, generated = networks(config, folder), adapters(config, folder)
    (run / "adapters").mkdir(parents=True, exist_ok=True)
    torch.save({"average": model.state_dict()}, run / "networks.pt")
    for name, one in generated.items():
        save_table(run / "tables" / f"{name}.npy", one(integer=True))
        path = run / "adapters" / f"{name}.pt"
        torch.save({"adapter": one.state_dict()}, path)
        path.with_suffix(".json").write_text(json.dumps({"name": name}) + "\n", encoding="utf-8")
    shutil.copyfile(folder / "tables.json", run / "tables.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--config", type=Path, required=True, help="what it was made with")
    parser.add_argument("--run", type=Path, required=True, help="folder to write")
    options = parser.parse_args()
    try:
        if (options.run / "networks.pt").exists():
            raise ValueError(f"{options.run} holds a run already; give another folder")
        config = configuration.load(options.config)
        restore(config, options.model, options.run)
        shutil.copyfile(options.config, options.run / "config.toml")
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(f"{options.run}: {', '.join(one.name for one in config.codebooks)}")


if __name__ == "__main__":
    main()
