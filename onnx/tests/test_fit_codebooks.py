"""Adapters trained from files of vectors: one process for each codebook, then an export of all."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from raq_train import config, tables
from raq_train.codebook import continue_adapter, start_adapter
from raq_train.export import digest, export, load_adapters, read_bases, regenerate
from raq_train.fit_codebooks import row_weights
from raq_train.untrained import untrained

ONNX = Path(__file__).resolve().parents[1]
CONFIG = ONNX / "configs" / "several.toml"
STEPS = ("--steps", "90", "20", "40")


def fit(run: Path, name: str, *more: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "raq_train.fit_codebooks", "--run", str(run), "--name", name]
    return subprocess.run([*command, *more], cwd=ONNX, capture_output=True, text=True, check=False)


def save_vectors(run: Path, name: str, dims: int) -> None:
    rng = np.random.default_rng(list(name.encode()))
    mixing = rng.normal(0, 200, (3, dims))
    rows = {}
    for key, count in (("vectors", 4000), ("held_vectors", 500)):
        mixed = rng.normal(0, 1, (count, 3)) @ mixing + rng.normal(0, 20, (count, dims))
        rows[key] = mixed.astype(np.float32)
        rows[key.replace("vectors", "importance")] = rng.uniform(0.5, 4, count).astype(np.float32)
    (run / "vectors").mkdir(exist_ok=True)
    np.savez(run / "vectors" / f"{name}.npz", **rows)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    shutil.copy(CONFIG, run / "config.toml")
    for codebook in config.load(CONFIG).codebooks:
        save_vectors(run, codebook.name, codebook.dims)
    return run


def test_every_codebook_is_fitted_and_exported(run: Path) -> None:
    settings = config.load(run / "config.toml")
    for codebook in settings.codebooks:
        done = fit(run, codebook.name, *STEPS)
        assert done.returncode == 0, done.stderr[-2000:]
        report = json.loads((run / "adapters" / f"{codebook.name}.json").read_text())
        assert list(report["gap_db"]) == ["16", str(codebook.max_codewords)]
        # 1.5 to 1.7 dB; before training 2.8 to 3.3.
        assert report["gap_db"]["16"] < 2.2, report
    table = np.load(run / "tables" / "tile.npy")
    assert table.shape == (32, 48)

    model, _ = untrained(settings)
    adapters = load_adapters(settings, run)
    manifest = export(settings, model, adapters, tables.flat(settings), run / "model")
    bases = read_bases(run / "model", manifest)
    rows = regenerate(run / "model" / "adapter.onnx", bases)
    assert list(rows) == ["tile", "position", "fine"]
    assert digest(rows.values()) == manifest["codebook_digest"]
    with torch.no_grad():
        expected = adapters["tile"](integer=True).numpy()
    np.testing.assert_array_equal(rows["tile"], expected)


def test_a_given_table_is_taken_and_a_run_goes_on(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "vectors", tmp_path / "vectors")
    shutil.copy(CONFIG, tmp_path / "config.toml")
    table = np.random.default_rng(1).normal(0, 200, (64, 12)).astype(np.float32)
    (tmp_path / "tables").mkdir()
    np.save(tmp_path / "tables" / "fine.npy", table)
    assert fit(tmp_path, "fine", "--steps", "5", "3", "2").returncode == 0
    path = tmp_path / "adapters" / "fine.pt"
    first = torch.load(path, weights_only=True)
    assert first["adapter_step"] == 10
    np.testing.assert_array_equal(first["table"].numpy(), table)
    assert fit(tmp_path, "fine", "--steps", "5", "3", "6").returncode == 0
    second = torch.load(path, weights_only=True)
    assert second["adapter_step"] == 14
    assert (second["adapter"]["base"] != first["adapter"]["base"]).any()


def test_a_trained_adapter_goes_over_to_a_table_like_its_own(run: Path, tmp_path: Path) -> None:
    """Rows that hardly moved are not learned anew, in whatever order they stand."""
    shape = config.load(CONFIG).codebook("fine")
    _, adapters = untrained(config.load(CONFIG))
    with torch.no_grad():
        rows = adapters["fine"](integer=True)
    torch.manual_seed(0)
    moved = rows + 0.1 * rows.std() * torch.randn_like(rows)
    table = moved[torch.randperm(len(rows))]
    trained = continue_adapter(shape, table, adapters["fine"].state_dict())
    new = start_adapter(shape, table, rows)
    with torch.no_grad():
        misses = [(one(integer=True) - table).pow(2).mean() for one in (trained, new)]
    assert misses[0] < 0.02 * rows.var()
    assert misses[0] < 0.1 * misses[1]
    # The command begins with it, too.
    (tmp_path / "tables").mkdir()
    (tmp_path / "adapters").mkdir()
    shutil.copytree(run / "vectors", tmp_path / "vectors")
    shutil.copy(CONFIG, tmp_path / "config.toml")
    np.save(tmp_path / "tables" / "fine.npy", table.numpy())
    path = tmp_path / "adapters" / "fine.pt"
    torch.save({"adapter": adapters["fine"].state_dict()}, path)
    assert fit(tmp_path, "fine", "--steps", "0", "0", "1").returncode == 0
    assert torch.equal(torch.load(path, weights_only=True)["adapter"]["order"], trained.order)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda rows: rows.pop("importance"), "has no ['importance']"),
        (lambda rows: rows.update(vectors=rows["vectors"][:, 1:]), "not vectors of 12 numbers"),
        (lambda rows: rows["held_importance"].fill(0), "positive"),
        (lambda rows: rows["vectors"].fill(np.nan), "finite"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(run: Path, tmp_path: Path, change, complaint) -> None:
    rows = dict(np.load(run / "vectors" / "fine.npz"))
    change(rows)
    (tmp_path / "vectors").mkdir()
    np.savez(tmp_path / "vectors" / "fine.npz", **rows)
    done = fit(tmp_path, "fine", "--config", str(CONFIG))
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_rows_weigh_by_use_and_by_relative_error() -> None:
    table = torch.randn(64, 4) * torch.logspace(3, 0, 64)[:, None]
    use = torch.linspace(2, 1, 64) / 96
    weights = row_weights(table, use)
    # Missing every row by a tenth of its length is a relative error of a hundredth.
    assert abs((weights * (0.1 * table).pow(2).sum(1)).sum().item() - 0.01) < 1e-5
    assert weights[60] > 10 * weights[0]
    assert row_weights(table, torch.eye(64)[5]).nonzero().tolist() == [[5]]


def test_a_run_without_an_adapter_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fit_codebooks --name tile"):
        load_adapters(config.load(CONFIG), tmp_path)
