"""A file is written whole or not at all. Modes, links and pipes: tests/faults/test_c_places.py."""

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
    reader = old.open("rb")
    files.atomic_write(old, b"new")
    assert old.read_bytes() == b"new"
    assert reader.read() == b"old"  # who was reading it goes on reading the old one
    reader.close()
    assert list(old.parent.iterdir()) == [old]


@pytest.mark.parametrize("call", ["fsync", "fchmod", "replace"])
def test_whatever_fails_the_old_file_stays(
    call: str, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, call, fail(errno.ENOSPC))
    with pytest.raises(WriteFailed, match=r"No space left on device \(3 bytes needed, [\d,]+ free"):
        files.atomic_write(old, b"new")
    assert old.read_bytes() == b"old"
    assert list(old.parent.iterdir()) == [old]


def test_a_disk_without_room_is_found_before_writing(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 2})
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(WriteFailed, match=r"the disk is full \(3 bytes needed, 2 free\)"):
        files.atomic_write(old, b"new")
    assert old.read_bytes() == b"old"


def test_an_interrupted_write_leaves_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.atomic_write(old, b"new")
    assert list(old.parent.iterdir()) == [old]


def test_a_folder_is_no_file_name(tmp_path: Path) -> None:
    with pytest.raises(CannotCreate, match="it is a folder; give a file name"):
        files.atomic_write(tmp_path, b"new")


@pytest.mark.parametrize("place", ["missing/file", "file/file"])
def test_a_place_that_is_not_there_is_told(place: str, old: Path) -> None:
    with pytest.raises(CannotCreate, match="choose a folder that can be written to"):
        files.atomic_write(old.parent / place, b"new")


def test_a_place_that_may_not_be_written_to_is_told(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (errno.EACCES, errno.EROFS):
        monkeypatch.setattr(os, "open", fail(error))
        with pytest.raises(CannotCreate, match=f"{os.strerror(error)}; choose a folder"):
            files.atomic_write(old, b"new")


WRITE = (
    "import pathlib; from genctl.common import files; files.atomic_write(pathlib.Path({!r}), b'x')"
)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_is_never_renamed_over(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE.format(name)]
    piped = subprocess.run(command, capture_output=True, check=False)
    assert (piped.stdout, piped.stderr) == (b"x", b"")
    target = tmp_path / "out"
    with target.open("wb") as out:
        number = os.fstat(out.fileno()).st_ino
        subprocess.run(command, stdout=out, check=True)
    assert target.read_bytes() == b"x"
    assert target.stat().st_ino == number


def test_a_log_grows_by_lines_and_tells_when_it_cannot(tmp_path: Path) -> None:
    log = tmp_path / "log"
    files.append_line(log, "a")
    files.append_line(log, "b")
    assert log.read_text() == "a\nb\n"
    with pytest.raises(WriteFailed, match=r"No space left on device \(2 bytes needed, [\d,]+ free"):
        files.append_line(Path("/dev/full"), "a")


def test_a_folder_cannot_be_where_a_file_is(old: Path) -> None:
    with pytest.raises(CannotCreate, match="it is a file; choose another name"):
        files.make_folder(old)
    with pytest.raises(CannotCreate, match="Not a directory"):
        files.make_folder(old / "below")


def test_leftovers_of_a_killed_process_are_removed_and_nothing_else(old: Path) -> None:
    (old.parent / f"{files.PREFIX}abc").write_bytes(b"half")
    files.remove_leftovers(old.parent)
    assert list(old.parent.iterdir()) == [old]
