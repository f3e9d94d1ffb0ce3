"""The smoke run from end to end on generated pictures, with a stand-in for raq-sim."""

import contextlib
import importlib
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from blake3 import blake3
from PIL import Image

from raq_train import data

ONNX = Path(__file__).resolve().parents[1]
CONFIG = ONNX / "configs" / "smoke.toml"
STAND_IN = Path(__file__).with_name("stand_in_sim.py")
"""Writes what `raq-sim vectors` writes, by a codec of noise: no need to build the program."""


def python(module: str, *arguments: str | Path) -> str:
    """What `python -m raq_train.MODULE` prints; in this process, for PyTorch loads slowly."""
    command = importlib.import_module(f"raq_train.{module}")
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(sys, "argv", [module, *map(str, arguments)])
        command.main()
    return printed.getvalue()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    program = run / "raq-sim"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="{ONNX}" exec "{sys.executable}" "{STAND_IN}" "$@"\n'
    )
    program.chmod(0o755)
    train = ("train", "--config", CONFIG, "--out", run)
    python(*train, "--steps", "30")
    assert torch.load(run / "checkpoint.pt", weights_only=True)["step"] == 30
    assert "step 60" in python(*train)
    python("start_tables", "--run", run, "--latents", "20000")
    code = ("sequences", "--run", run, "--raq-sim", program)
    assert "4 of 4" in python(*code)
    python("vectors", "--run", run)
    before = np.load(run / "tables" / "position.npy")
    python("learn_tables", "--run", run, "--name", "position", "--rounds", "2")
    assert (np.load(run / "tables" / "position.npy") != before).any()
    python("learn_tables", "--run", run, "--name", "tile")
    for name in ("tile", "position", "white"):
        python("fit_codebooks", "--run", run, "--name", name)
    assert "4 of 4" in python(*code)  # the adapters' codebooks are others than the tables
    assert "4 of 4" not in python(*code)
    python("decoder", "--run", run, "--steps", "4")
    python("decoder", "--run", run)
    python("export", "--config", CONFIG, "--run", run, "--out", run / "model")
    python("quantize", "--model", run / "model", "--run", run)
    pictures = run / "pictures"
    pictures.mkdir()
    for n, (luma, _) in enumerate(data.generate_pictures(2, 96, 77)):
        Image.fromarray(luma).convert("RGB").save(pictures / f"{n}.png")
    python("evaluate", "--model", run / "model", "--run", run, "--pictures", pictures)
    return run


def test_manifest_tells_the_truth(run: Path) -> None:
    manifest = json.loads((run / "model" / "manifest.json").read_text())
    for name, stated in manifest["files"].items():
        content = (run / "model" / name).read_bytes()
        assert stated == {"bytes": len(content), "blake3": blake3(content).hexdigest()}
    assert manifest["latent_dim"] == 16
    assert [one["name"] for one in manifest["codebooks"]] == ["tile", "position", "white"]
    assert manifest["stages"][-1] == {"codebook": 2, "shift": 2}


def test_counts_become_the_models_tables(run: Path) -> None:
    counts = json.loads((run / "model" / "tables.json").read_text())
    # The stand-in counts 7 resets for each clip that is not held.
    assert counts["bands"][0]["start"][0] == 14


def test_the_decoder_that_is_exported_is_the_best_one(run: Path) -> None:
    start = torch.load(run / "networks.pt", weights_only=True)["average"]
    kept = torch.load(run / "decoder.pt", weights_only=True)
    assert any((start[key] != kept["average"][key]).any() for key in start if "decoder" in key)
    assert all(torch.equal(start[key], kept["average"][key]) for key in start if "encoder" in key)
    assert np.isfinite(kept["psnr"])


def test_metrics_name_every_codebook(run: Path) -> None:
    metrics = json.loads((run / "model" / "metrics.json").read_text())
    assert list(metrics["codebook_gap_db"]) == ["tile", "position", "white"]
    assert list(metrics["codebook_gap_db"]["position"]) == ["16", "64", "128"]
    assert metrics["codebook_gap_db"]["white"]["64"] < 0.6
    # The stand-in adds noise to latents, so both errors rise together.
    assert metrics["tracking"]["added"]["log_correlation"] > 0.9
    assert list(metrics["stills"]) == ["still_1.60"]
    assert metrics["pictures"]["unquantised_psnr_y"] > 20
    assert metrics["int8"]["frames"] >= 2
    assert -0.5 < metrics["int8"]["worst_psnr_y"] <= metrics["int8"]["mean_psnr_y"] < 0.5


def test_blocks_are_integers_and_what_surrounds_them_is_not(run: Path) -> None:
    graph = onnx.load(run / "model" / "decoder_int8.onnx").graph
    kinds = {one.name: one.data_type for one in graph.initializer}
    integers = {name.removesuffix("_weight_quantized") for name in kinds if "_weight_q" in name}
    assert integers and all(name.startswith("block") for name in integers)
    weights = [name for name in kinds if name.endswith("_weight_quantized")]
    assert {kinds[name] for name in weights} == {onnx.TensorProto.INT8}
    floats = [name for name in kinds if name.endswith("_weight")]
    assert set(floats) == {"linear_weight", "in_weight", "out_weight"}


def test_reference_has_the_documented_size(run: Path) -> None:
    planes = 64 * 64 + 2 * 32 * 32
    assert (run / "model" / "reference.bin").stat().st_size == 2 * planes + 8 * 8 * 16 * 4


def test_a_model_becomes_a_run_again(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again, made = tmp_path / "again", tmp_path / "model"
    python("restore", "--model", run / "model", "--config", CONFIG, "--run", again)
    python("export", "--config", CONFIG, "--run", again, "--out", made)
    for name in ("adapter.onnx", "base_tile.i16", "encoder.onnx", "tables.json"):
        assert (made / name).read_bytes() == (run / "model" / name).read_bytes(), name
    before, after = (
        np.frombuffer((folder / "reference.bin").read_bytes()[-6144:], np.uint8).astype(int)
        for folder in (run / "model", made)
    )
    assert np.abs(before - after).max() <= 1
    other = tmp_path / "other.toml"
    other.write_text(CONFIG.read_text().replace("latent_dim = 16", "latent_dim = 12"))
    for config, complaint in ((CONFIG, "holds a run already"), (other, "no model of this")):
        with pytest.raises(SystemExit):
            folder = again if config == CONFIG else tmp_path / "new"
            python("restore", "--model", run / "model", "--config", config, "--run", folder)
        assert complaint in capsys.readouterr().err


def test_a_missing_table_is_named(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("config.toml", "networks.pt"):
        os.link(run / name, tmp_path / name)
    with pytest.raises(SystemExit) as refusal:
        python("sequences", "--run", tmp_path)
    assert refusal.value.code == 2
    assert "run raq_train.start_tables" in capsys.readouterr().err


def test_planes_are_full_range_and_half_size() -> None:
    white = Image.fromarray(np.full((5, 7, 3), 255, np.uint8))
    luma, chroma = data.to_planes(white)
    assert luma.shape == (4, 6)
    assert chroma.shape == (2, 2, 3)
    assert luma.min() == 255
    assert set(chroma.ravel()) == {128}


def test_the_wide_model_takes_a_step(tmp_path: Path) -> None:
    text = (ONNX / "configs" / "wide.toml").read_text()
    for line, instead in (("photos = [", "#"), ("crop = 128", "crop = 64"), ("batch = 32", "")):
        assert f"\n{line}" in text
        text = text.replace(f"\n{line}", f"\n{instead}")
    path = tmp_path / "wide.toml"
    path.write_text(text.replace("[train]", "[train]\nthreads = 1\nbatch = 4", 1))
    assert "step 1;" in python("train", "--config", path, "--out", tmp_path, "--steps", "1")
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state["networks"]["decoder.basis"].shape == (64, 96)
    assert any(v.abs().max() > 0 for k, v in state["networks"].items() if "trunk.10" in k)
