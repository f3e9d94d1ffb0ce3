"""Generators as ONNX graphs, and whole runs as models of the product."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from raq_train.export import digest, read_bases, regenerate
from raq_train.paper import images, settings
from raq_train.paper.export import export
from raq_train.paper.generator import Generator
from raq_train.paper.generator_graph import build
from raq_train.paper.measure import restore
from raq_train.paper.planes import to_planes, to_rgb
from raq_train.paper.train import Place, TrainingError, train

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "paper" / "smoke.toml"
ALONE = Place(0, 1, torch.device("cpu"))


@pytest.mark.parametrize("feed", ["paper", "code"])
@pytest.mark.parametrize("forcing", [True, False])
@pytest.mark.parametrize(("hidden", "layers"), [(6, 2), (4, 1)])
@torch.no_grad()
def test_the_graph_emits_what_pytorch_does(
    feed: str, forcing: bool, hidden: int, layers: int
) -> None:
    torch.manual_seed(1)
    generator = Generator(6, hidden, layers, 20, feed=feed, forcing=forcing).eval()
    base = torch.randint(-400, 400, (5, 6))
    session = onnxruntime.InferenceSession(
        build(generator, "x", 5, 20, 512.0).SerializeToString(),
        providers=["CPUExecutionProvider"],
    )
    emitted = session.run(["codebook_x"], {"base_x": base.numpy().astype(np.int32)})[0]
    expected = generator(base / 512, 20) * 512
    assert np.abs(emitted - expected.numpy()).max() < 0.6
    assert len(np.unique(emitted, axis=0)) > 4


def test_planes_and_back() -> None:
    colours = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    pictures = colours.repeat_interleave(4, 2).repeat_interleave(4, 3)
    luma, chroma = to_planes(pictures)
    assert luma.shape == (2, 1, 16, 16) and chroma.shape == (2, 2, 8, 8)
    torch.testing.assert_close(to_rgb(luma, chroma), pictures)


def test_a_run_becomes_a_model(tmp_path: Path) -> None:
    config = tmp_path / "planes.toml"
    text = CONFIG.read_text().replace("[network]", '[network]\nkind = "planes"')
    config.write_text(text.replace("dim = 8", "dim = 12"))
    experiment = settings.load(config)
    pictures, _ = images.load(experiment.data, tmp_path)
    for name in ("raq-paper", "raq-code"):
        run = experiment.run(name)
        train(experiment, run, 10, pictures, tmp_path, ALONE)
        manifest = export(experiment, run, 10, tmp_path, tmp_path / name)
        rows = regenerate(tmp_path / name / "adapter.onnx", read_bases(tmp_path / name, manifest))
        assert rows["position"].shape == (32, 12)
        assert digest(rows.values()) == manifest["codebook_digest"]
        assert (manifest["latent_dim"], len(manifest["stages"])) == (12, 5)
    prefix = experiment.run("prefix-log")
    train(experiment, prefix, 10, pictures, tmp_path, ALONE)
    with pytest.raises(TrainingError, match="is not of arm raq"):
        export(experiment, prefix, 10, tmp_path, tmp_path / "none")
    network, _ = restore(experiment, prefix, 10, tmp_path)
    basis = network.autoencoder.whole.encoder.basis
    torch.testing.assert_close(basis @ basis.T, torch.eye(12), atol=1e-4, rtol=0)
