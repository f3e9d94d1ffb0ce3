"""Clips that sequences are made of, their files, what is gathered from them, and first tables."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from raq_train import clips, coded, config, tables, vectors, y4m
from raq_train.blocks import from_vectors, to_vectors
from raq_train.data import generate_photo, generate_pictures, to_planes

ONNX = Path(__file__).resolve().parents[1]
SMOKE = config.load(ONNX / "configs" / "smoke.toml")


def test_blocks_are_positions_row_by_row_and_come_back() -> None:
    latents = torch.arange(2 * 3 * 4 * 8).reshape(2, 3, 4, 8)
    rows = to_vectors(latents, 2, 2)
    assert rows.shape == (16, 8)
    # The second block of the first picture: positions (0, 2), (0, 3), (1, 2), (1, 3).
    wanted = latents[0, :2, 0:2, 2:4].permute(1, 2, 0).reshape(-1)
    assert torch.equal(rows[1], wanted)
    assert torch.equal(from_vectors(rows, 2, (2, 4, 8)), latents[:, :2])


def test_y4m_comes_back(tmp_path: Path) -> None:
    frames = generate_pictures(3, 48, 1)
    y4m.write(tmp_path / "a.y4m", frames)
    luma, chroma = y4m.read(tmp_path / "a.y4m")
    for n, (y, c) in enumerate(frames):
        np.testing.assert_array_equal(luma[n], y)
        np.testing.assert_array_equal(chroma[n], c)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"RIFF\n", "no y4m"),
        (b"YUV4MPEG2 W4 H4 F25:1 C444\nFRAME\n", "not 4:2:0"),
        (b"YUV4MPEG2 W4 H4 F25:1\n", "no frames"),
        (b"YUV4MPEG2 W4 H4 F25:1\nFRAME I\n" + bytes(24), "parameters"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, data: bytes, complaint: str) -> None:
    (tmp_path / "a.y4m").write_bytes(data)
    with pytest.raises(ValueError, match=complaint):
        y4m.read(tmp_path / "a.y4m")


def test_a_pan_moves_and_stays_inside_the_photo() -> None:
    photo = generate_photo(192, 3)
    frames = [to_planes(one)[0].astype(int) for one in clips.pan(photo, 96, 12, 5)]
    again = [to_planes(one)[0] for one in clips.pan(photo, 96, 12, 5)]
    for before, after, same in zip(frames, frames[1:], again, strict=False):
        assert np.abs(after - before).mean() > 0.5
        np.testing.assert_array_equal(before, same)
    # Outside a photo pictures are black; a generated one hardly has black.
    assert all((frame < 2).mean() < 0.2 for frame in frames)


def test_jobs_have_names_of_their_own_and_hold_some_back() -> None:
    clip = config.ClipConfig("talking/a.mp4", "64x64", (60,), delay="100ms", loss=0.1, datagrams=3)
    still = config.ClipConfig("talking/b.mp4", "64x64", (60,), still=True)
    jobs = list(clips.jobs((clip, clip, still), SMOKE.sequences))
    names = [job.name for job in jobs]
    assert len(set(names)) == len(names)
    assert names[:3] == ["a", "a_2", "still_b"]
    assert jobs[1].arguments == ("--datagrams", "3", "--feedback-delay", "100ms", "--loss", "0.1")
    kinds = {(job.name.split("_")[0], job.held) for job in jobs[3:]}
    assert kinds == {("pan", False), ("pan", True), ("still", False), ("still", True)}


def test_counts_add_up_and_keep_their_codewords() -> None:
    one = tables.flat(SMOKE)
    total = tables.add([one, one, one])
    assert total["bands"][2]["start"] == [3, 3, 3, 3]
    assert total["bands"][0]["blocks"][1] == [3] * 17
    assert total["bands"][0]["codewords"] == one["bands"][0]["codewords"]
    with pytest.raises(ValueError, match="no counts"):
        tables.add([])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run as `raq_train.sequences` leaves it, of noise."""
    rng = np.random.default_rng(1)
    folder = tmp_path / "sequences"
    for job in clips.jobs(SMOKE.clips, SMOKE.sequences):
        out = folder / job.name
        out.mkdir(parents=True)
        planes = [to_planes(clips.still(generate_photo(96, 7), 96))] * job.frames
        y4m.write(folder / f"{job.name}.y4m", planes)
        for shape in SMOKE.codebooks:
            rows = rng.normal(0, 9 + 90 * job.held, (40, 1 + shape.dims)).astype(np.float32)
            rows[:, 0] = 0.25
            np.save(out / f"{shape.name}.vectors.npy", rows)
        for rate in job.rates:
            sums = rng.integers(-50, 50, (job.frames, 12, 12, 16)).astype(np.int16)
            np.save(out / f"{job.name}.{rate}.sums.npy", sums)
            level = rng.integers(0, 97, (job.frames, 12, 12)).astype(np.uint8)
            np.save(out / f"{job.name}.{rate}.depth.npy", level)
        (out / "counts.json").write_text(json.dumps(tables.flat(SMOKE)))
    return tmp_path


def test_residuals_of_held_clips_stay_apart(run: Path) -> None:
    (rows, importance), (held, _) = vectors.residuals(SMOKE, run, "position")
    assert rows.shape == (80, 16)
    assert held.shape == (80, 16)
    assert rows.std() < 12
    assert held.std() > 60
    # Large residuals count less, each about as much as its inverse energy.
    energy = (rows**2).mean(1)
    assert importance[energy.argmax()] < importance[energy.argmin()]


def test_crops_of_coded_clips_lie_over_their_targets(run: Path) -> None:
    learned = list(coded.load(SMOKE, run, held=False))
    assert [one.name for one in learned] == ["pan_0.150", "still_0.60"]
    batches = coded.CodedBatches(learned, 64, 8, 2, 3)
    batch = batches.draw()
    assert batch.latents.shape == (8, 16, 8, 8)
    assert batch.luma.shape == (8, 1, 64, 64)
    assert batch.chroma.shape == (8, 2, 32, 32)
    # Each crop is found where its latents are.
    one = learned[1]
    row, column = 2, 3
    latents, levels, luma, _ = batches._cut(one, 5, row, column)
    np.testing.assert_array_equal(luma[0, 0], one.luma[5, 16:80, 24:88])
    np.testing.assert_array_equal(levels[0, 0], one.levels[5, 2:10, 3:11])
    np.testing.assert_array_equal(latents[0, 4] * 2, one.sums[5, 2:10, 3:11, 4])


def test_a_missing_sequence_is_named(run: Path) -> None:
    next((run / "sequences").glob("pan_1/*.sums.npy")).unlink()
    with pytest.raises(ValueError, match=r"pan_1.*run raq_train.sequences"):
        list(coded.load(SMOKE, run, held=True))
