"""Downloading a data set: one process at a time, mirror by mirror, whole or not at all.

torchvision checks the MD5 of every archive. What it lacks is a lock for runs that start together, a
way past a mirror that stalls or breaks off, and files that appear only when they are whole.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

from filelock import FileLock

from genctl.common import files
from genctl.common.errors import DISK_FULL, WriteFailed

TIMEOUT = 20.0  # seconds without a byte, after which the next mirror is tried
ARCHIVES = (".gz", ".xz", ".zip")


def download(
    dataset: Any, arguments: dict[str, Any], folder: Path, is_complete: Callable[[], bool]
) -> None:
    """Download the missing files of a data set into ``folder``.

    If another process is downloading there, wait for it and use its files.

    Args:
        dataset: a class of torchvision.
        arguments: its arguments besides the folder.
        folder: torchvision's ``root``.
        is_complete: whether no file is missing there.

    Raises:
        RuntimeError, OSError: no mirror has the files, or the folder cannot be written to.
        WriteFailed: the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".genctl-download.lock"):
        if is_complete():
            return
        for leftover in folder.glob(f"{files.PREFIX}*"):  # of a killed process
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        with tempfile.TemporaryDirectory(prefix=files.PREFIX, dir=folder) as name:
            _download_from_mirrors(dataset, arguments, Path(name))
            _move_unpacked(Path(name), folder)


def without_legacy(dataset: Any, **attributes: Any) -> Any:
    """A subclass that ignores the pickles which old versions of torchvision left as the data."""
    attributes |= {"_check_legacy_exist": lambda self: False}
    return type(dataset.__name__, (dataset,), attributes)


def _download_from_mirrors(dataset: Any, arguments: dict[str, Any], folder: Path) -> None:
    """Let torchvision download and unpack, from one mirror after the other."""
    from torchvision import datasets

    uses_mirrors = getattr(dataset, "download", None) is datasets.MNIST.download
    mirrors = [{"mirrors": [mirror]} for mirror in dataset.mirrors] if uses_mirrors else [{}]
    for mirror in mirrors:
        try:
            # torchvision prints its progress; stdout is kept for results.
            with _socket_timeout(TIMEOUT), contextlib.redirect_stdout(sys.stderr):
                without_legacy(dataset, **mirror)(str(folder), download=True, **arguments)
            return
        except (RuntimeError, OSError, HTTPException) as error:
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                raise WriteFailed(
                    f"cannot write {folder.parent}: {error.strerror}; make room and run the same "
                    "command again"
                ) from None
            if mirror is mirrors[-1]:
                raise RuntimeError(f"{type(error).__name__} {error}") from error


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _move_unpacked(source: Path, folder: Path) -> None:
    """Move the unpacked files, but replace none that are there already."""
    for path in sorted(source.rglob("*")):
        target = folder / path.relative_to(source)
        if path.is_file() and path.suffix not in ARCHIVES and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)  # noqa: PTH105 (as in files.py)
            files.sync(target.parent)
