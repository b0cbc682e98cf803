"""The one writer of files: each appears whole or not at all, and survives a power cut."""

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from genctl.common.errors import CannotCreate, WriteFailed

PREFIX = ".genctl-part-"
"""What every unfinished file is called at first; leftovers of a killed process show it."""

NO_PLACE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR}


def atomic_write(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` in one step; what was there stays if anything fails.

    A symbolic link is followed. A device or pipe, which has nothing to be replaced, is written to.

    Raises:
        CannotCreate: the folder is missing, or may not be written to.
        WriteFailed: the disk is full, or writing failed half-way.
    """
    atomic_write_stream(path, lambda file: file.write(content), len(content))


def atomic_write_stream(path: Path, write: Callable[[IO[bytes]], object], size: int) -> None:
    """The same for what is too large to be held: ``write`` writes it, about ``size`` bytes."""
    with translate_errors(path, size):
        if path.is_dir():
            raise CannotCreate(f"cannot write {path}: it is a folder; give a file name")
        if _is_stream(path):
            with path.open("wb") as file:
                write(cast(IO[bytes], _Stream(file)))
            return
        path = path.resolve()
        _require_space(path, size)
        _replace(path, write)


@contextlib.contextmanager
def translate_errors(path: Path, size: int | None = None) -> Iterator[None]:
    """Say what a failure of the system in the block means for ``path``.

    Raises:
        CannotCreate: it is not there, or may not be written to.
        WriteFailed: the disk is full, or writing failed half-way.
        BrokenPipeError: who reads it has seen enough.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno in NO_PLACE:
            raise CannotCreate(
                f"cannot write {path}: {error.strerror}; choose a folder that can be written to"
            ) from None
        raise WriteFailed(_no_room(path, str(error.strerror), size)) from None


class _Stream:
    """A device or pipe, in which there is no going back, though /dev/null claims it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.write, self.flush = file.write, file.flush


def _is_stream(path: Path) -> bool:
    """Whether ``path`` is a device, a pipe, or what a process has open, as ``/dev/stdout`` is."""
    folder = path.parent.resolve()
    opened = folder == Path("/dev") or folder.is_relative_to("/proc")
    return path.exists() and (opened or not path.is_file())


def _replace(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    name = path.parent / f"{PREFIX}{secrets.token_hex(8)}"
    try:  # from before it exists: a signal may end the work between any two calls
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fchmod(file.fileno(), 0o666 & ~_umask())
            os.fsync(file.fileno())
        os.replace(name, path)  # noqa: PTH105 (counted by the tests that kill at every call)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Make what a file holds, or the names in a folder, outlast a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def append_line(path: Path, line: str) -> None:
    """Add one line to a log; a torn last line is what reading has to forgive."""
    with translate_errors(path, len(line) + 1), path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def sync_lines(path: Path) -> None:
    """Make the lines of a log outlast a power cut."""
    with translate_errors(path):
        sync(path)


def make_folder(path: Path) -> None:
    """Create ``path`` and what is missing above it.

    Raises:
        CannotCreate: it is a file, or may not be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise CannotCreate(f"cannot create {path}: it is a file; choose another name") from None
    except OSError as error:
        raise CannotCreate(
            f"cannot create {path}: {error.strerror}; choose a folder that can be written to"
        ) from None


def remove_leftovers(folder: Path) -> None:
    """Delete the unfinished files that a killed process left in ``folder``."""
    for path in folder.glob(f"{PREFIX}*"):
        path.unlink(missing_ok=True)


def _no_room(path: Path, reason: str, needed: int | None) -> str:
    """What to say where ``path`` could not be written; ``needed`` is bytes, where known."""
    free = shutil.disk_usage(path.parent).free
    room = "" if needed is None else f"{needed:,} bytes needed, "
    return (
        f"cannot write {path}: {reason} ({room}{free:,} free); "
        "make room and run the same command again"
    )


def _require_space(path: Path, needed: int) -> None:
    if shutil.disk_usage(path.parent).free < needed:
        raise WriteFailed(_no_room(path, "the disk is full", needed))


def _umask() -> int:
    # There is no call that only reads it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
