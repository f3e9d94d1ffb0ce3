"""Every arm from training to tables, as the commands do it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from raq_train.paper import images, results, settings
from raq_train.paper.measure import restore
from raq_train.paper.train import Place, TrainingError, train

ONNX = Path(__file__).resolve().parents[2]
CONFIG = ONNX / "configs" / "paper" / "smoke.toml"
ALONE = Place(0, 1, torch.device("cpu"))


def command(
    module: str, *arguments: str, before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess:
    line = [sys.executable, *before, "-m", f"raq_train.paper.{module}", *arguments]
    return subprocess.run(line, cwd=ONNX, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs")
    experiment = settings.load(CONFIG)
    pictures, _ = images.load(experiment.data, out)
    for run in experiment.runs:
        train(experiment, run, 10, pictures, out, ALONE)
    return out


def test_the_ladder_trains_what_is_missing(runs: Path, tmp_path: Path) -> None:
    text = CONFIG.read_text()
    head, *listed = text.split("[[runs]]")
    head = head.replace('reduce = ["vq32"]', "").replace('expand = ["vq8"]', "")
    config = tmp_path / "two.toml"
    broken = listed[0].replace('name = "vq32"', 'name = "huge"').replace("32", "4000000000000")
    config.write_text("[[runs]]".join([head, listed[1], broken]))
    given = ("--config", str(config), "--out", str(tmp_path), "--jobs", "2")
    done = command("ladder", *given)
    assert done.returncode == 1
    assert "error: 1 runs failed: huge-10; see their logs" in done.stderr
    assert "memory is used up; lower [train] batch" in done.stderr
    # The other one has come to its end, and is the same as alone.
    whole, _ = restore(settings.load(CONFIG), settings.load(CONFIG).run("vq8"), 10, runs)
    state = torch.load(tmp_path / "vq8-10.pt", weights_only=True)
    assert state["step"] == 12
    torch.testing.assert_close(state["network"]["arm.base.table"], whole.arm.base.table)


def test_every_arm_is_measured_and_drawn(runs: Path, tmp_path: Path) -> None:
    experiment = settings.load(CONFIG)
    given = ("--config", str(CONFIG), "--out", str(runs), "--results", str(tmp_path))
    done = command("measure", *given)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "left out" not in done.stdout
    found = results.read(tmp_path)
    assert {run.curve for run in experiment.runs} <= set(found)
    adapted = found["raq-paper"]["results"]
    assert adapted["codewords"] == [4, 6, 8, 16, 32]
    assert all(5 < value < 40 for value in adapted["psnr-rgb"])
    assert adapted["bpp"] == [0.125, pytest.approx(0.161560, abs=1e-6), 0.1875, 0.25, 0.3125]
    assert found["rvq"]["results"]["codewords"] == [4, 8, 16, 32]
    assert found["fixed"]["results"]["codewords"] == [8, 32]
    assert {f"vq32-dkm-{start}" for start in ("random", "plus-plus", "trained")} <= set(found)
    assert found["raq-paper-source"]["results"]["codewords"] == [8]
    assert found["vq8-ikm-random"]["convergence"][0]["codewords"] == 16
    assert "fid" not in adapted and "st-lpips" not in adapted, "no weights were given"
    beside = tmp_path.parent / "published.json"
    beside.write_text(
        json.dumps({"source": "a test", "psnr-rgb": {"fixed": {"32": 20.0}, "x": {"32": 21.5}}})
    )
    drawn = command("report", "--results", str(tmp_path), "--beside", str(beside))
    assert drawn.returncode == 0, drawn.stderr[-2000:]
    tables = (tmp_path / "tables.md").read_text()
    assert "| *published: x* | – | +1.50 |" in tables
    assert "<svg" in (tmp_path / "psnr-rgb.svg").read_text()
    drawn = (tmp_path / "convergence.svg").read_text()
    assert all(f"<!-- {start} -->" in drawn for start in ("random", "plus-plus", "trained"))


def test_an_interrupted_run_comes_to_the_same_end(runs: Path, tmp_path: Path) -> None:
    experiment = settings.load(CONFIG)
    pictures, _ = images.load(experiment.data, tmp_path)
    for name in ("raq-code", "rvq"):
        run = experiment.run(name)
        train(experiment, run, 10, pictures, tmp_path, ALONE, steps=5)
        train(experiment, run, 10, pictures, tmp_path, ALONE)
        whole, _ = restore(experiment, run, 10, runs)
        resumed, _ = restore(experiment, run, 10, tmp_path)
        for key, value in whole.state_dict().items():
            torch.testing.assert_close(value, resumed.state_dict()[key], msg=f"{name} {key}")


def test_two_processes_train_what_one_does(runs: Path, tmp_path: Path) -> None:
    experiment = settings.load(CONFIG)
    for name in ("vq8", "prefix-log"):
        launch = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
        line = [sys.executable, *launch, "-m", "raq_train.paper.train", "--config", str(CONFIG)]
        line += ["--out", str(tmp_path), "--name", name, "--device", "cpu"]
        # Not every machine knows its own name.
        environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
        done = subprocess.run(
            line, cwd=ONNX, capture_output=True, text=True, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr[-2000:]
        shared, _ = restore(experiment, experiment.run(name), 10, tmp_path)
        alone, _ = restore(experiment, experiment.run(name), 10, runs)
        for (key, one), other in zip(
            alone.autoencoder.state_dict().items(),
            shared.autoencoder.state_dict().values(),
            strict=True,
        ):
            # Codewords begin as other latents, so the two are alike but not the same.
            difference = (one - other).norm() / one.norm().clamp_min(1e-6)
            assert difference < 0.2, f"{name} {key} {difference}"


def test_what_cannot_go_on_is_told_in_a_line(runs: Path, tmp_path: Path) -> None:
    def refused(*arguments: str, config: Path = CONFIG, out: Path = runs) -> str:
        done = command("train", "--config", str(config), "--out", str(out), *arguments)
        assert done.returncode == 1, done
        said = done.stderr.strip().splitlines()[-1]
        assert said.startswith("error: ") and "Traceback" not in done.stderr, done.stderr
        return said

    text = CONFIG.read_text()
    other = tmp_path / "other.toml"
    other.write_text(text.replace("batch = 16", "batch = 8"))
    assert "another configuration (train)" in refused("--name", "vq8", config=other)
    assert "no run is named 'vq9'" in refused("--name", "vq9")
    assert "no-such.toml: No such file" in refused(
        "--name", "vq8", config=tmp_path / "no-such.toml"
    )
    (tmp_path / "vq8-10.pt").write_bytes(b"broken")
    assert "remove it to begin anew" in refused("--name", "vq8", out=tmp_path)
    data = tmp_path / "data.toml"
    data.write_text(text.replace("generated = 96", "").replace("steps = 12", "steps = 2"))
    absent = refused("--name", "vq8", "--data", str(tmp_path), config=data, out=tmp_path / "absent")
    assert "cannot read" in absent and "RAQ_DATA" in absent


def test_a_loss_that_is_no_number_stops_and_keeps_what_was_good(tmp_path: Path) -> None:
    experiment = settings.load(CONFIG)
    run = experiment.run("prefix-log")
    pictures, _ = images.load(experiment.data, tmp_path)
    train(experiment, run, 10, pictures, tmp_path, ALONE, steps=4)
    path = tmp_path / "prefix-log-10.pt"
    state = torch.load(path, weights_only=True)
    for group in state["optimiser"]["param_groups"]:
        group["lr"] = float("inf")
    torch.save(state, path)
    with pytest.raises(TrainingError, match=r"lower \[train\] learning_rate"):
        train(experiment, run, 10, pictures, tmp_path, ALONE)
    kept = torch.load(path, weights_only=True)
    assert kept["step"] == 4
    assert all(
        value.isfinite().all() for value in kept["network"].values() if value.is_floating_point()
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (('arm = "fsq"', 'arm = "tree"'), "arm 'tree' is not one of"),
        (("levels = [4, 4]", ""), "fsq needs levels"),
        (("stages = [4, 2, 2, 2]", ""), "residual needs stages"),
        (('name = "vq8"', 'name = "vq32"'), "run 'vq32': is there twice"),
        (("steps = 12", "stepps = 12"), r"unknown keys \['stepps'\]"),
        (("size = 32", "size = 33"), "size must be a multiple of 8"),
        (('expand = ["vq8"]', 'expand = ["rvq"]'), "'rvq' is not of arm fixed"),
        (('name = "smoke"', "name = "), "is no TOML"),
    ],
)
def test_nonsense_is_refused_by_name(change: tuple[str, str], text: str, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(CONFIG.read_text().replace(*change, 1))
    with pytest.raises(ValueError, match=text):
        settings.load(path)
