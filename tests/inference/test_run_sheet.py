"""genctl runs --sheet: each row shows what `sample` generates with that run."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genctl.config import config as configs
from tests.conftest import RunGenctl
from tests.support.models import RESNET, save_model

GAP, CELL = 2, 18


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Runs whose names are not in the order of the table; one is damaged, one has no model."""
    folder = tmp_path / "runs"
    models = {"b": (), "a": (*RESNET, "condition.kind=none"), "none": None, "torn": ()}
    for name, overrides in models.items():
        (folder / name).mkdir(parents=True)
        config = configs.dump(configs.load("tiny", list(overrides or ())))
        (folder / name / "config.yaml").write_text(config)
        if overrides is not None:
            save_model(folder / name / "model.safetensors", *overrides)
    (folder / "torn" / "model.safetensors").write_bytes(b"torn")
    return folder


def pixels(path: Path | str) -> np.ndarray:
    return np.asarray(Image.open(path))


def cell(sheet: np.ndarray, row: int, column: int) -> np.ndarray:
    top, left = GAP + row * CELL, GAP + column * CELL
    return sheet[top : top + 16, left : left + 16]


def test_each_row_is_what_sample_generates_with_that_run(genctl: RunGenctl, runs: Path) -> None:
    done = genctl("runs", "--sort", "run", "--sheet", "out/sheet.png", "--json")
    assert (done.code, done.json["sheet"]) == (0, "out/sheet.png")
    assert [row["run"] for row in done.json["runs"]] == ["a", "b", "none", "torn"]
    warning, *rows = done.err.splitlines()
    assert warning.startswith("genctl: warning: cannot use")
    assert "torn" in warning
    assert rows == ["row 1 of out/sheet.png: a", "row 2 of out/sheet.png: b"]
    sheet = pixels("out/sheet.png")
    assert sheet.shape == (2 * CELL + GAP, 10 * CELL + GAP)
    for row, name in enumerate("ab"):
        genctl("sample", "--run", name, "--n", 10, "--out", f"{name}.npz")
        with np.load(f"{name}.npz", allow_pickle=False) as file:
            for column in range(10):
                assert np.array_equal(cell(sheet, row, column), file["images"][column, ..., 0])


def test_the_rows_follow_the_table(genctl: RunGenctl, runs: Path) -> None:
    done = genctl("runs", "--sort", "-run", "--sheet", "sheet.png")
    assert [line[-1] for line in done.err.splitlines()[1:]] == ["b", "a"]
    with Image.open("sheet.png") as sheet:
        assert sheet.info["runs"] == "b\na"


def test_runs_of_different_image_sizes_and_channels_share_a_sheet(
    genctl: RunGenctl, runs: Path
) -> None:
    small = ("data.image_size=8", "networks.generator_channels=[8]", "networks.critic_channels=[8]")
    save_model(runs / "b" / "model.safetensors", *small, "data.channels=3")
    assert genctl("runs", "--sheet", "sheet.png", "--sort", "run").code == 0
    sheet = pixels("sheet.png")
    assert sheet.shape == (2 * CELL + GAP, 10 * CELL + GAP, 3)
    grey, coloured = cell(sheet, 0, 3), cell(sheet, 1, 3)
    assert np.array_equal(grey[..., 0], grey[..., 2])
    assert not np.array_equal(coloured[..., 0], coloured[..., 2])
    assert np.array_equal(coloured, coloured[::2, ::2].repeat(2, axis=0).repeat(2, axis=1))


def test_a_sheet_without_models_is_refused(genctl: RunGenctl, runs: Path) -> None:
    done = genctl("runs", "--runs", "nowhere", "--sheet", "sheet.png")
    assert (done.code, done.out) == (66, "")
    assert "no run has a model" in done.err
    assert genctl("runs", "--sheet", "sheet.jpg").code == 2
    assert not Path("sheet.jpg").exists()
