"""The smoke run from end to end: train, interrupt, resume, export, evaluate."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3
from PIL import Image

from raq_train import data

ONNX = Path(__file__).resolve().parents[1]
CONFIG = ONNX / "configs" / "smoke.toml"


def python(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, cwd=ONNX, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    train = ("raq_train.train", "--config", CONFIG, "--out", run)
    assert "phase joint" in python(*train, "--until", "joint")
    assert "phase done" in python(*train)
    out = run / "model"
    python("raq_train.export", "--config", CONFIG, "--run", run, "--out", out)
    pictures = run / "pictures"
    pictures.mkdir()
    for n, (luma, _) in enumerate(data.generate_pictures(2, 96, 77)):
        Image.fromarray(luma).convert("RGB").save(pictures / f"{n}.png")
    python("raq_train.evaluate", "--model", out, "--run", run, "--pictures", pictures)
    return out


def test_manifest_tells_the_truth(model_folder: Path) -> None:
    manifest = json.loads((model_folder / "manifest.json").read_text())
    for name, stated in manifest["files"].items():
        content = (model_folder / name).read_bytes()
        assert stated == {"bytes": len(content), "blake3": blake3(content).hexdigest()}
    assert manifest["latent_dim"] == 32
    assert manifest["codebooks"] == [
        {
            "name": "position",
            "cover": 1,
            "lead": 32,
            "base_codewords": 32,
            "max_codewords": 256,
            "base_file": "base_position.i16",
        }
    ]
    assert manifest["stages"] == [{"codebook": 0, "shift": 0}]


def test_metrics_rise_with_the_codebook(model_folder: Path) -> None:
    metrics = json.loads((model_folder / "metrics.json").read_text())
    psnr = metrics["kodak"]["results"]["psnr-y"]
    assert psnr[-1] > psnr[0] + 1
    assert metrics["kodak"]["unquantised_psnr_y"] > psnr[-1]
    generated = metrics["codebook"]["equal"]["generated_db"]
    assert generated == sorted(generated, reverse=True)


def test_reference_has_the_documented_size(model_folder: Path) -> None:
    planes = 64 * 64 + 2 * 32 * 32
    assert (model_folder / "reference.bin").stat().st_size == 2 * planes + 8 * 8 * 32 * 4


def test_planes_are_full_range_and_half_size() -> None:
    white = Image.fromarray(np.full((5, 7, 3), 255, np.uint8))
    luma, chroma = data.to_planes(white)
    assert luma.shape == (4, 6)
    assert chroma.shape == (2, 2, 3)
    assert luma.min() == 255
    assert set(chroma.ravel()) == {128}
