"""Permissions of outputs, links, devices and pipes."""

import os
import stat
from pathlib import Path

import pytest

from tests.faults.refusal import require_error
from tests.faults.stopped import require_no_partial_files, require_same_after_resuming
from tests.support.processes import Fault, run_forked, run_training

SAMPLE = ("sample", "--run", "run", "--n", "2", "--out")
ENCODE = ("encode", "digits:test[0:3]", "--run", "run", "--out")
WRITERS: dict[str, tuple[str, ...]] = {
    "a.png": (*SAMPLE, "a.png"),
    "a.npz": (*SAMPLE, "a.npz"),
    "walk.gif": (*SAMPLE, "walk.gif", "--interpolate"),
    "codes.npz": (*ENCODE, "codes.npz"),
    "codes.csv": (*ENCODE, "codes.csv"),
    "map.png": (*ENCODE, "codes.jsonl", "--plot", "map.png"),
    "again.png": ("reproduce", "samples.png", "--out", "again.png"),
    "sheet.png": ("runs", "--runs", ".", "--sheet", "sheet.png"),
}


def masked(mask: int) -> Fault:
    def set_umask() -> None:
        os.umask(mask)

    return set_umask


@pytest.mark.fault("C6")
@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_files_of_a_run_follow_the_umask(mask: int, tmp_path: Path) -> None:
    done = run_training(tmp_path, "--set", "training.images=128", fault=masked(mask))
    assert done.code == 0, done.err
    for path in (tmp_path / "runs").rglob("*"):
        mode = 0o777 if path.is_dir() else 0o666
        assert stat.S_IMODE(path.stat().st_mode) == mode & ~mask, path


@pytest.mark.fault("C6")
@pytest.mark.parametrize("mask", [0o002, 0o077])
def test_outputs_follow_the_umask(mask: int, work_folder: Path) -> None:
    for name, words in WRITERS.items():
        assert run_forked(work_folder, list(words), masked(mask)).code == 0
        assert stat.S_IMODE((work_folder / name).stat().st_mode) == 0o666 & ~mask, name


@pytest.mark.fault("C6")
def test_outputs_replace_the_target_of_a_link(work_folder: Path) -> None:
    (work_folder / "far").mkdir()
    for name, words in WRITERS.items():
        target = work_folder / "far" / name
        target.write_text("old")
        (work_folder / name).symlink_to(target)
        done = run_forked(work_folder, list(words))
        assert done.code == 0, done.err
        assert (work_folder / name).is_symlink()
        assert target.read_bytes() != b"old"
        (work_folder / name).unlink()
        target.rename(work_folder / "linked")
        assert run_forked(work_folder, list(words)).code == 0
        assert (work_folder / name).read_bytes() == (work_folder / "linked").read_bytes()
    require_no_partial_files(work_folder)


@pytest.mark.fault("C6")
def test_runs_may_lie_behind_links(uninterrupted_run: Path, tmp_path: Path) -> None:
    (tmp_path / "far" / "run").mkdir(parents=True)
    (tmp_path / "near").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "near")
    (tmp_path / "near" / "run").symlink_to(tmp_path / "far" / "run")
    require_same_after_resuming(tmp_path, uninterrupted_run)
    assert (tmp_path / "runs").is_symlink()
    assert (tmp_path / "near" / "run").is_symlink()
    assert (tmp_path / "far" / "run" / "model.safetensors").exists()
    done = run_training(tmp_path, "--fresh", "--set", "training.images=16")
    assert done.code == 0
    assert (tmp_path / "near" / "run.old-1").is_symlink()
    assert (tmp_path / "far" / "run" / "model.safetensors").exists()


DEVICES = {"/dev/null": 0, "/dev/full": 74, "pipe": 0}


@pytest.mark.fault("C6")
@pytest.mark.parametrize("device", DEVICES)
def test_devices_are_written_to_and_not_replaced(device: str, work_folder: Path) -> None:
    """Through links, since the name of most outputs must end in their format."""
    if device == "pipe":
        os.mkfifo(work_folder / "pipe")
        reader = os.open(work_folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    target = work_folder / device  # an absolute path stays as it is
    kind = stat.S_IFMT(target.stat().st_mode)
    for name, words in WRITERS.items():
        (work_folder / name).symlink_to(target)
        done = run_forked(work_folder, list(words))
        assert done.code == DEVICES[device], (name, done.err)
        if done.code:
            require_error(done, 74, "No space left on device")
        assert (work_folder / name).is_symlink()
        assert stat.S_IFMT(target.stat().st_mode) == kind
        if device == "pipe":
            assert len(os.read(reader, 2**20)) > 100
    require_no_partial_files(work_folder)


@pytest.mark.fault("C6")
def test_a_picture_written_to_stdout_is_not_followed_by_text(work_folder: Path) -> None:
    """Neither the path nor the JSON follow, so that another program can read the picture."""

    def to_a_file() -> None:
        os.dup2(os.open("shell", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)

    for words, name in (
        ([*SAMPLE, "/dev/stdout"], "a.png"),
        ([*SAMPLE, "/dev/stdout", "--json"], "a.png"),
        (["reproduce", "samples.png", "--out", "/dev/stdout"], "samples.png"),
    ):
        assert run_forked(work_folder, [*SAMPLE, "a.png"]).code == 0
        (work_folder / "shell").unlink(missing_ok=True)
        done = run_forked(work_folder, words, to_a_file)
        assert (done.code, done.out) == (0, "")
        assert (work_folder / "shell").read_bytes() == (work_folder / name).read_bytes()
