"""The only place that writes files: each appears whole or not at all, and survives a power cut.

The library for this, atomicwrites, was archived in 2022, and would save 10 of these lines: it
neither reports a full disk with its size nor follows the umask, and it would replace a link, a pipe
or ``/dev/stdout`` itself.
"""

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from genctl.common.errors import CannotCreate, WriteFailed

PREFIX = ".genctl-part-"
"""How the names of unfinished files begin; a killed process may leave some."""

NOT_CREATABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR}


def atomic_write(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` in one step; if anything fails, the old file stays.

    A symbolic link is followed. A device or pipe cannot be replaced and is written to.

    Raises:
        CannotCreate: the folder is missing, or may not be written to.
        WriteFailed: the disk is full, or writing failed halfway.
        BrokenPipeError: the reader of the pipe has closed it.
    """
    with translate_errors(path, len(content)):
        if path.is_dir():
            raise CannotCreate(f"cannot write {path}: it is a folder; give a file name")
        if _is_stream(path):
            path.write_bytes(content)
            return
        path = path.resolve()
        if shutil.disk_usage(path.parent).free < len(content):
            raise OSError(errno.ENOSPC, "the disk is full")
        _replace(path, content)


@contextlib.contextmanager
def translate_errors(path: Path, size: int | None = None) -> Iterator[None]:
    """Translate an ``OSError`` in the block into an error about ``path``.

    Args:
        path: the file or folder that is written.
        size: the bytes needed, where known.

    Raises:
        CannotCreate: it does not exist, or may not be written to.
        WriteFailed: the disk is full, or writing failed halfway.
        BrokenPipeError: the reader of the pipe has closed it.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno in NOT_CREATABLE:
            raise CannotCreate(
                f"cannot write {path}: {error.strerror}; choose a folder that can be written to"
            ) from None
        needed = "" if size is None else f"{size:,} bytes needed, "
        raise WriteFailed(
            f"cannot write {path}: {error.strerror} "
            f"({needed}{shutil.disk_usage(path.parent).free:,} free); "
            "make room and run the same command again"
        ) from None


def append_line(path: Path, line: str) -> None:
    """Add one line to a log. A crash may leave half of the last line, which readers must skip."""
    with translate_errors(path, len(line) + 1), path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk, so that they survive a power cut."""
    with translate_errors(path):
        _fsync(path)


def make_folder(path: Path) -> None:
    """Create ``path`` and its parents.

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


def cache_folder() -> Path:
    """Where genctl keeps what it could make again: $GENCTL_CACHE, else in the user's cache."""
    from platformdirs import user_cache_path

    chosen = os.environ.get("GENCTL_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("genctl")


def remove_leftovers(folder: Path) -> None:
    """Delete the unfinished files that a killed process left in ``folder``."""
    for path in folder.glob(f"{PREFIX}*"):
        path.unlink(missing_ok=True)


def _is_stream(path: Path) -> bool:
    """Whether ``path`` is a device, a pipe, or an open file of a process, as ``/dev/stdout`` is."""
    folder = path.parent.resolve()
    opened = folder == Path("/dev") or folder.is_relative_to("/proc")
    return path.exists() and (opened or not path.is_file())


def _replace(path: Path, content: bytes) -> None:
    name = path.parent / f"{PREFIX}{secrets.token_hex(8)}"
    try:  # begins before the file exists: a signal may end the work between any two calls
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o666 & ~_umask())
            os.fsync(file.fileno())
        os.replace(name, path)  # noqa: PTH105 (tests kill the process at every call of os)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108
        raise
    _fsync(path.parent)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    # There is no call that only reads it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
