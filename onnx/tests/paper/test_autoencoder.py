"""The paper's networks."""

from pathlib import Path

import pytest
import torch

from raq_train.paper import autoencoder, images, settings
from raq_train.paper.autoencoder import to_grids, to_rows
from raq_train.paper.settings import NetworkSettings
from raq_train.paper.train import Place, train

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "paper"


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_sizes_are_the_papers() -> None:
    network = autoencoder.build(NetworkSettings())
    assert parameters(network.encoder) == pytest.approx(196_300, rel=0.01)
    assert parameters(network.decoder) == pytest.approx(262_000, rel=0.01)


@pytest.mark.parametrize(("kind", "sides"), [("vqvae", [16]), ("vqvae2", [16, 8]), ("planes", [8])])
def test_grids_and_pictures_have_their_sizes(kind: str, sides: list[int]) -> None:
    network = autoencoder.build(NetworkSettings(kind=kind, channels=8, residual_channels=4, dim=6))
    pictures = torch.rand(3, 3, 64, 64)
    grids = network.encode(pictures)
    assert [list(grid.shape) for grid in grids] == [[3, 6, side, side] for side in sides]
    rows = to_rows(grids)
    assert rows.shape == (3 * sum(side**2 for side in sides), 6)
    for grid, back in zip(grids, to_grids(rows, grids), strict=True):
        assert torch.equal(grid, back)
    assert network.decode(grids).shape == pictures.shape


def test_two_grids_learn(tmp_path: Path) -> None:
    config = tmp_path / "two.toml"
    text = (CONFIGS / "smoke.toml").read_text().replace("[network]", '[network]\nkind = "vqvae2"')
    config.write_text(text.replace("steps = 12", "steps = 60").replace("size = 32", "size = 64"))
    experiment = settings.load(config)
    pictures, test = images.load(experiment.data, tmp_path)
    alone = Place(0, 1, torch.device("cpu"))
    batch = images.to_float(test.batch(torch.arange(8)))
    random = torch.Generator().manual_seed(1)
    losses = []
    for steps in (1, 60):
        network = train(experiment, experiment.run("vq32"), 10, pictures, tmp_path, alone, steps)
        losses.append(float(network(batch, random).detach()))
    assert losses[1] < 0.5 * losses[0], losses


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_experiment_can_be_read(path: Path) -> None:
    assert settings.load(path).name == path.stem
