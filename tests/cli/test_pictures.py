"""From a folder of pictures to a config, and to a run."""

from pathlib import Path

import pytest

from genctl.config import config as configs
from tests.conftest import RunGenctl
from tests.support.picture_folders import write_broken, write_photos, write_picture

SHORT = ("--set", "training.images=64", "--set", "training.batch_size=8", "--quiet")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENCTL_CACHE", str(tmp_path / "cache"))


def test_a_config_is_written_that_trains(genctl: RunGenctl, tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", 12, (20, 16))
    done = genctl("configs", "new", "photos", "-o", "my.yaml", "--json")
    assert done.code == 0, done.err
    assert done.json["out"] == "my.yaml"
    assert done.json["seen"]["count"] == 12
    assert done.json["config"] == configs.load(str(tmp_path / "my.yaml")).model_dump(mode="json")
    assert "12 pictures, no classes\n" in done.err
    assert genctl("train", "--config", "my.yaml", *SHORT).code == 0
    again = genctl("configs", "new", "photos", "-o", "my.yaml")
    assert (again.code, again.out) == (73, "")


def test_the_size_can_be_asked_for(genctl: RunGenctl, tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", 4)
    done = genctl("configs", "new", "photos", "-o", "my.yaml", "--size", "128", "--json")
    assert done.json["config"]["data"]["image_size"] == 128
    wrong = genctl("configs", "new", "photos", "-o", "other.yaml", "--size", "48")
    assert (wrong.code, wrong.out) == (2, "")
    assert wrong.err.startswith("genctl: error: --size 48: must be one of 16, 32, 64, 128, 256")


def test_a_folder_is_trained_on_directly_and_the_same_command_resumes(
    genctl: RunGenctl, tmp_path: Path
) -> None:
    for name in ("cats", "dogs"):
        write_photos(tmp_path / "my pets" / name, 6, (16, 16))
    done = genctl("train", "--data", "my pets", "--json", *SHORT)
    assert done.code == 0, done.err
    assert done.json["run"].startswith("runs/my-pets-")
    run = Path(done.json["run"])
    assert configs.load(str(run / "config.yaml")).condition.kind == "image"
    before = (run / "result.json").stat().st_mtime_ns
    again = genctl("train", "--data", "my pets", "--json", *SHORT)
    assert again.json == done.json
    assert (run / "result.json").stat().st_mtime_ns == before


def test_a_preset_can_be_trained_on_a_folder(genctl: RunGenctl, tmp_path: Path) -> None:
    for name in "ab":
        write_photos(tmp_path / "letters" / name, 4, (16, 16))
    words = ("--config", "tiny", "--data", "letters", "--dry-run", "--json")
    done = genctl("train", *words)
    data = done.json["config"]["data"]
    assert (data["kind"], data["root"], data["image_size"]) == (
        "folder", str(tmp_path / "letters"), 16
    )  # fmt: skip


def test_a_folder_of_data_does_not_hide_the_run_of_its_name(
    genctl: RunGenctl, tmp_path: Path
) -> None:
    for name in "ab":
        write_photos(tmp_path / "letters" / name, 4, (16, 16))
    words = ("--config", "tiny", "--data", "letters", "--name", "letters", *SHORT)
    assert genctl("train", *words).code == 0
    done = genctl("sample", "--run", "letters", "--n", "2", "--out", "out.png")
    assert done.code == 0, done.err
    done = genctl("evaluate", "--run", "letters")
    assert "cannot evaluate runs/letters/model.safetensors: there are 1 test images" in done.err


@pytest.mark.parametrize("command", ["new", "train"])
def test_folders_that_cannot_be_trained_on(command: str, genctl: RunGenctl, tmp_path: Path) -> None:
    def refused(code: int, *lines: str) -> None:
        words = ("configs", "new", "x", "-o", "my.yaml") if command == "new" else (
            "train", "--data", "x")  # fmt: skip
        done = genctl(*words)
        assert (done.code, done.out) == (code, "")
        found = done.err.splitlines()
        assert len(found) == len(lines)
        for line, start in zip(found, lines, strict=True):
            assert line.startswith(f"genctl: error: {start}")
        assert not (tmp_path / "my.yaml").exists()
        assert not (tmp_path / "runs").exists()

    refused(66, "cannot read data.root x: not a folder")
    (tmp_path / "x").mkdir()
    refused(65, "cannot use data.root x: it has no pictures;")
    (tmp_path / "x" / "notes.txt").write_text("hello")
    refused(65, "cannot use data.root x: it has no pictures among 1 files;")
    write_picture(tmp_path / "x" / "only" / "1.png")
    refused(65, "cannot use x: it has 1 picture, and training needs more")
    write_broken(tmp_path / "x" / "only" / "2\n.png")
    refused(
        65,
        "cannot use x: 1 of 2 pictures are broken",
        "only/2\\n.png: not a picture",
    )
