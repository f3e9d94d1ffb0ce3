"""Counts of symbols: flat ones, those of a run, and what is refused."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

from raq_train import config, tables
from raq_train.export import load_tables

ONNX = Path(__file__).resolve().parents[1]
SEVERAL = config.load(ONNX / "configs" / "several.toml")


def test_flat_tables_have_a_place_for_every_symbol() -> None:
    flat = tables.flat(SEVERAL)
    assert len(flat["bands"]) == tables.BANDS
    band = flat["bands"][0]
    assert [len(counts) for counts in band["blocks"]] == [2, 17, 17, 17]
    assert band["codewords"] == [32, 64, 64, 64]
    # 32 indices in classes of 1, 2, 4, 8, 16 and the last one.
    assert band["class"][0] == [1, 2, 4, 8, 16, 32]


def test_a_runs_own_tables_are_taken(tmp_path: Path) -> None:
    assert load_tables(SEVERAL, tmp_path) == tables.flat(SEVERAL)
    own = copy.deepcopy(tables.flat(SEVERAL))
    own["bands"][1]["start"] = [1, 900, 80, 20]
    (tmp_path / "tables.json").write_text(json.dumps(own))
    assert load_tables(SEVERAL, tmp_path) == own


def test_use_of_rows_is_that_of_their_classes() -> None:
    counts = copy.deepcopy(tables.flat(SEVERAL))
    for band in counts["bands"]:
        band["class"] = [[0] * len(classes) for classes in band["class"]]
    # Both stages of "fine": index 0, and of the class of 31 to 62.
    counts["bands"][1]["class"][2][0] = 3
    counts["bands"][4]["class"][3][5] = 1
    use = tables.use_of_rows(counts, SEVERAL, "fine")
    assert len(use) == 64
    assert use[0] == 0.75
    assert use[31:63] == [0.25 / 32] * 32
    assert sum(use) == pytest.approx(1)
    assert tables.use_of_rows(counts, SEVERAL, "tile") == [1 / 32] * 32


@pytest.mark.parametrize(
    ("key", "value"),
    [("start", [1, 2, 3]), ("blocks", []), ("codewords", [33, 64, 64, 64]), ("base", ["x"] * 16)],
)
def test_tables_for_other_stages_are_refused(key: str, value: list, tmp_path: Path) -> None:
    other = copy.deepcopy(tables.flat(SEVERAL))
    other["bands"][2][key] = value
    (tmp_path / "tables.json").write_text(json.dumps(other))
    with pytest.raises(ValueError, match="count it again"):
        load_tables(SEVERAL, tmp_path)


def test_models_here_hold_a_basis_of_unit_rows_and_their_tables() -> None:
    for folder in (ONNX / "models" / "base", ONNX.parent / "tests" / "data" / "several"):
        manifest = json.loads((folder / "manifest.json").read_text())
        basis = np.fromfile(folder / "basis.i16", "<i2").reshape(manifest["latent_dim"], 96)
        products = (basis / 4096) @ (basis / 4096).T
        np.testing.assert_allclose(products, np.eye(len(basis)), atol=1 / 256)
        counts = json.loads((folder / "tables.json").read_text())
        stages = counts["bands"][0]["codewords"]
        assert len(stages) == len(manifest["stages"])
