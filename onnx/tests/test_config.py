"""Settings: what a file may say, and what is refused by name."""

from pathlib import Path

import pytest

from raq_train import config

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


def load(folder: Path, text: str) -> config.Config:
    path = folder / "some.toml"
    path.write_text(text)
    return config.load(path)


def test_without_codebooks_there_is_one_for_positions(tmp_path: Path) -> None:
    loaded = load(tmp_path, "[model]\nlatent_dim = 20\n")
    (codebook,) = loaded.codebooks
    assert (codebook.name, codebook.cover, codebook.lead, codebook.dims) == ("position", 1, 20, 20)
    assert loaded.stages == (config.StageConfig("position", 0),)
    assert codebook.source == "residuals"


def test_several_codebooks_and_stages() -> None:
    loaded = config.load(CONFIGS / "several.toml")
    assert [(one.name, one.dims) for one in loaded.codebooks] == [
        ("tile", 48),
        ("position", 12),
        ("fine", 12),
    ]
    assert [(stage.codebook, stage.shift) for stage in loaded.stages][-1] == ("fine", 3)
    assert loaded.codebook("tile").max_codewords == 32
    with pytest.raises(ValueError, match="'position'"):
        loaded.codebook("quarter")


@pytest.mark.parametrize("name", ["base", "wide"])
def test_shipped_configurations_are_of_five_codebooks(name: str) -> None:
    loaded = config.load(CONFIGS / f"{name}.toml")
    assert [one.name for one in loaded.codebooks] == [
        "tile",
        "quarter",
        "position",
        "fine",
        "white",
    ]
    assert len(loaded.stages) == 15
    assert loaded.codebook("white").lead == loaded.model.latent_dim
    # What is held is not learned from under another rate.
    held = {clip.name for clip in loaded.clips if clip.held}
    assert held
    assert not held & {clip.name for clip in loaded.clips if not clip.held}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[train]\nbatchsize = 3", "batchsize"),
        ("[codebook]\nhidden = 3", "codebook"),
        ("[[codebooks]]\nname = 'a'\ncovers = 2", "covers"),
        ("[[codebooks]]\nname = 'a'\ncover = 3", "cover is 3"),
        ("[[codebooks]]\nname = 'a'\nsource = 'clips'", "source is 'clips'"),
        ("[[clips]]\nfile = 'a'\nsize = '8x8'\nrates = [9]\nspeed = 3", "speed"),
        ("[[codebooks]]\nname = 'a'\nlead = 33", "lead is 33"),
        ("[[codebooks]]\nname = 'a'\ncover = 4", "is 512"),
        ("[[codebooks]]\nname = 'a'\nmax_codewords = 4097", "4097"),
        ("[[codebooks]]\nname = 'a'\nbase_codewords = 9\nmax_codewords = 8", "base_codewords"),
        ("[[codebooks]]\nname = 'a'\nhidden = 257", "hidden is 257"),
        ("[model]\nlatent_dim = 65", "latent_dim is 65"),
        ("[[codebooks]]\nname = '../a'", "names are unique"),
        ("[[codebooks]]\nname = 'a'\n[[codebooks]]\nname = 'a'", "names are unique"),
        ("[[codebooks]]\nname = 'a'\n[[stages]]\ncodebook = 'b'", "'b'"),
        ("[[stages]]\nshift = 5", "shift is 5"),
        ("[[stages]]\n" * 17, "stages is 17"),
        ("".join(f"[[codebooks]]\nname = 'a{n}'\n" for n in range(9)), "codebooks is 9"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as refusal:
        load(tmp_path, text)
    assert "some.toml" in str(refusal.value)
