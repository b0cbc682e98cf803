"""A file appears whole or not at all. Umask, links, devices and full disks: ``tests/faults``."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from genctl.common import files
from genctl.common.errors import CannotCreate, WriteFailed


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    return path


def fail(error: int) -> Any:
    def failing(*_: Any, **__: Any) -> None:
        raise OSError(error, os.strerror(error))

    return failing


def test_a_file_is_replaced_in_one_step(old: Path) -> None:
    with old.open("rb") as reader:
        files.atomic_write(old, b"new")
        assert old.read_bytes() == b"new"
        assert reader.read() == b"old"  # the old file is not overwritten
    assert list(old.parent.iterdir()) == [old]


@pytest.mark.parametrize("call", ["fsync", "fchmod", "replace"])
def test_if_a_call_fails_the_old_file_stays(
    call: str, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, call, fail(errno.ENOSPC))
    with pytest.raises(WriteFailed, match=r"No space left on device \(3 bytes needed, [\d,]+ free"):
        files.atomic_write(old, b"new")
    assert old.read_bytes() == b"old"
    assert list(old.parent.iterdir()) == [old]


def test_an_interrupted_write_leaves_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.atomic_write(old, b"new")
    assert list(old.parent.iterdir()) == [old]


def test_the_umask_of_the_process_is_not_changed(old: Path) -> None:
    before = os.umask(0o027)
    try:
        files.atomic_write(old, b"new")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    ("place", "why"),
    [(".", "it is a folder; give a file name"), ("missing/file", "No such file or directory"),
     ("file/file", "Not a directory")],
)  # fmt: skip
def test_a_place_where_no_file_can_be_is_refused(place: str, why: str, old: Path) -> None:
    with pytest.raises(CannotCreate, match=why):
        files.atomic_write(old.parent / place, b"new")


@pytest.mark.parametrize("error", [errno.EACCES, errno.EROFS])
def test_a_place_that_may_not_be_written_to_is_refused(
    error: int, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "open", fail(error))
    with pytest.raises(CannotCreate, match=f"{os.strerror(error)}; choose a folder"):
        files.atomic_write(old, b"new")


WRITE = (
    "import pathlib; from genctl.common import files; files.atomic_write(pathlib.Path({!r}), b'x')"
)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_is_written_to_and_not_replaced(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE.format(name)]
    piped = subprocess.run(command, capture_output=True, check=False)
    assert (piped.stdout, piped.stderr) == (b"x", b"")
    target = tmp_path / "out"
    with target.open("wb") as out:
        number = os.fstat(out.fileno()).st_ino
        subprocess.run(command, stdout=out, check=True)
    assert target.read_bytes() == b"x"
    assert target.stat().st_ino == number


def test_a_log_grows_by_lines(tmp_path: Path) -> None:
    files.append_line(tmp_path / "log", "a")
    files.append_line(tmp_path / "log", "b")
    assert (tmp_path / "log").read_text() == "a\nb\n"
    with pytest.raises(WriteFailed, match=r"No space left on device \(2 bytes needed, [\d,]+ free"):
        files.append_line(Path("/dev/full"), "a")


def test_a_folder_cannot_replace_a_file(old: Path) -> None:
    with pytest.raises(CannotCreate, match="it is a file; choose another name"):
        files.make_folder(old)
    with pytest.raises(CannotCreate, match="Not a directory"):
        files.make_folder(old / "below")


def test_unfinished_files_are_removed_and_nothing_else(old: Path) -> None:
    (old.parent / f"{files.PREFIX}abc").write_bytes(b"half")
    files.remove_leftovers(old.parent)
    assert list(old.parent.iterdir()) == [old]
