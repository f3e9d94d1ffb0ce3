"""ST-LPIPS: the published network with its weights, and its command with made ones."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from raq_train import st_lpips
from raq_train.data import data_root
from raq_train.st_lpips import StLpips

ONNX = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def published() -> StLpips:
    path = data_root() / "metrics" / "stlpips" / "alex_shift_tolerant.pth"
    if not path.exists():
        reason = f"{path} is not there; set RAQ_DATA"
        if os.environ.get("RAQ_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return StLpips(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that were never trained."""
    generator = torch.Generator().manual_seed(7)
    weights = {
        name: 0.05 * torch.rand(shape, generator=generator)
        for name, shape in st_lpips._SHAPES.items()
    }
    path = tmp_path_factory.mktemp("weights") / "made.pth"
    torch.save(weights, path)
    return path


def waves(width: int, height: int, shift: int = 0) -> Tensor:
    """A picture f32 [1, 3, H, W] of waves of several lengths, `shift` pixels further left."""
    y = torch.arange(height, dtype=torch.float64)[:, None]
    x = torch.arange(shift, shift + width, dtype=torch.float64)
    planes = [
        0.5 * torch.sin(0.21 * x * (plane + 1) / 2 + 0.13 * y)
        + 0.3 * torch.cos(0.9 * x - 0.4 * y * (plane + 1))
        for plane in range(3)
    ]
    return torch.stack(planes)[None].float()


def noisy(picture: Tensor, strength: float) -> Tensor:
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(3))
    return (picture + strength * noise).clamp(-1, 1)


def test_distances_are_those_of_the_authors_package(published: StLpips) -> None:
    # By stlpips-pytorch 0.0.2, LPIPS(net="alex", variant="shift_tolerant"), for these pairs.
    first, second = waves(80, 60), waves(80, 60, shift=5) * 0.8
    found = published.distances(torch.cat((first, second)), torch.cat((second, 0.5 * first)))
    torch.testing.assert_close(found, torch.tensor([0.10324589, 0.17579129]), rtol=1e-4, atol=0)


def test_noise_counts_and_equal_pictures_do_not_differ(published: StLpips) -> None:
    picture = waves(64, 48)
    found = [
        published.distances(picture, noisy(picture, strength)).item()
        for strength in (0, 0.05, 0.2, 0.5)
    ]
    assert found[0] == 0
    assert found == sorted(set(found))


def test_a_shift_by_a_pixel_counts_for_little(published: StLpips) -> None:
    picture, moved = waves(96, 64), waves(96, 64, shift=1)
    blurred = torch.nn.functional.avg_pool2d(picture, 5, 1, 2)
    distance = published.distances(picture, blurred).item()
    both_moved = published.distances(moved, torch.nn.functional.avg_pool2d(moved, 5, 1, 2)).item()
    assert math.isclose(both_moved, distance, rel_tol=0.05)
    # The squared error takes the shift for worse than the noise, this does not.
    disturbed = noisy(picture, 0.2)
    assert (picture - moved).square().mean() > (picture - disturbed).square().mean()
    by_shift, by_noise = (
        published.distances(picture, other).item() for other in (moved, disturbed)
    )
    assert by_shift < by_noise


def test_pictures_that_cannot_be_compared_are_refused(made: Path) -> None:
    metric = StLpips(made)
    smallest = waves(21, 21)
    assert metric.distances(smallest, noisy(smallest, 0.5)).item() > 0
    for one, other in ((waves(20, 40), waves(20, 40)), (waves(40, 40), waves(40, 44))):
        with pytest.raises(ValueError, match="one size, sides of 21"):
            metric.distances(one, other)


@pytest.mark.parametrize("content", [None, b"", b"no weights", "another"])
def test_other_files_are_refused_with_a_cure(content: bytes | str | None, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    if content == "another":
        torch.save({"lin0.model.1.weight": torch.zeros(1, 64, 1, 1)}, path)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="give alex_shift_tolerant"):
        StLpips(path)


def bytes_of(picture: Tensor) -> tuple[bytes, Tensor]:
    """A picture as rgb24, and as it is read again."""
    samples = ((picture[0] + 1) * 127.5).round().byte()
    return samples.permute(1, 2, 0).contiguous().numpy().tobytes(), samples[None] / 127.5 - 1


def command(arguments: list[str], sent: bytes) -> subprocess.CompletedProcess:
    line = [sys.executable, "-m", "raq_train.st_lpips", *arguments]
    return subprocess.run(line, input=sent, capture_output=True, cwd=ONNX, check=False)


def test_the_command_prints_a_line_for_each_pair(made: Path) -> None:
    sent = [bytes_of(one) for one in (waves(32, 24), noisy(waves(32, 24), 0.4), waves(32, 24, 3))]
    pairs = [(sent[0], sent[1]), (sent[2], sent[0]), (sent[1], sent[1])]
    stream = b"".join(one[0] + other[0] for one, other in pairs)
    done = command(["--weights", str(made), "--size", "32x24"], stream)
    assert done.returncode == 0, done.stderr
    metric = StLpips(made)
    expected = [metric.distances(one[1], other[1]).item() for one, other in pairs]
    assert [float(line) for line in done.stdout.split()] == pytest.approx(expected, abs=1e-7)
    assert expected[0] > 0 and expected[2] == 0


def test_the_command_says_what_is_wrong(made: Path, tmp_path: Path) -> None:
    short = command(["--weights", str(made), "--size", "32x24"], bytes(5000))
    assert short.returncode == 1 and b"after 392 of 4608 bytes" in short.stderr, short
    assert len(short.stdout.split()) == 1, "the first pair was whole"
    missing = command(["--weights", str(tmp_path / "none.pth"), "--size", "32x24"], b"")
    assert missing.returncode == 1 and b"give alex_shift_tolerant" in missing.stderr
    assert b"Traceback" not in missing.stderr
    for wrong in ("20x24", "32", "ax2"):
        assert command(["--weights", "w", "--size", wrong], b"").returncode == 2
