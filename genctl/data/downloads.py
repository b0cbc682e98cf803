"""Downloading a data set: one process at a time, mirror by mirror, whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
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
from pydantic import TypeAdapter

from genctl.common import files
from genctl.common.errors import DISK_FULL, WriteFailed

STALLED = 20.0  # seconds without a byte, after which a mirror is given up
PACKED = (".gz", ".xz", ".zip")


def download(
    dataset: Any,
    arguments: dict[str, Any],
    folder: Path,
    is_complete: Callable[[], bool],
    check: Callable[[Path], None],
) -> None:
    """Bring the missing files of a data set into ``folder``.

    Another process that downloads there is waited for.

    Args:
        dataset: a class of torchvision.
        arguments: what it is called with besides its folder.
        folder: where its files belong.
        is_complete: whether nothing is missing there.
        check: refuses files below another folder that are not the data set.

    Raises:
        RuntimeError, OSError: no mirror has the files, or the folder cannot be written to.
        WriteFailed: the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".genctl-download.lock"):
        if is_complete():
            return
        for left in folder.glob(f"{files.PREFIX}*"):  # by a killed process
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        with tempfile.TemporaryDirectory(prefix=files.PREFIX, dir=folder) as name:
            scratch = Path(name)
            _fetch(dataset, arguments, scratch)
            check(scratch)
            _move(scratch, folder, dataset.__name__)


def first_changed(folder: Path, name: str) -> Path | None:
    """A file of a class of torchvision that is not as it was downloaded, if there is one."""
    changed = (
        folder / place
        for place, digest in _digests(folder, name).items()
        if (folder / place).exists() and _sha256(folder / place) != digest
    )
    return next(changed, None)


def without_legacy(dataset: Any, **changes: Any) -> Any:
    """A class of torchvision that takes no pickles of its old versions for the data set."""
    return type(dataset.__name__, (dataset,), {"_check_legacy_exist": lambda self: False} | changes)


def _fetch(dataset: Any, arguments: dict[str, Any], scratch: Path) -> None:
    """Let torchvision download and unpack, from one mirror after the other."""
    from torchvision import datasets

    uses_mirrors = getattr(dataset, "download", None) is datasets.MNIST.download
    mirrors = [{"mirrors": [mirror]} for mirror in dataset.mirrors] if uses_mirrors else [{}]
    for mirror in mirrors:
        try:
            with _patient(STALLED), contextlib.redirect_stdout(sys.stderr):  # stdout: for results
                without_legacy(dataset, **mirror)(str(scratch), download=True, **arguments)
            return
        except (RuntimeError, OSError, HTTPException) as error:
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                raise WriteFailed(
                    f"cannot write {scratch.parent}: {error.strerror}; make room and run the same "
                    "command again"
                ) from None
            if mirror is mirrors[-1]:
                raise RuntimeError(f"{type(error).__name__} {error}") from error


@contextlib.contextmanager
def _patient(seconds: float) -> Iterator[None]:
    """Give up a connection that says nothing for so long."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _move(scratch: Path, folder: Path, name: str) -> None:
    """Move what was unpacked to its place; what is there already stays."""
    unpacked = [
        path for path in sorted(scratch.rglob("*")) if path.is_file() and path.suffix not in PACKED
    ]
    places = {path: path.relative_to(scratch) for path in unpacked}
    # First: whoever finds a file finds what it must be like.
    digests = _digests(folder, name)
    digests |= {place.as_posix(): _sha256(path) for path, place in places.items()}
    files.atomic_write(_digests_path(folder, name), (json.dumps(digests, indent=2) + "\n").encode())
    for path, place in places.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            os.replace(path, target)  # noqa: PTH105 (as in files.py)
            files.sync(target.parent)


def _digests(folder: Path, name: str) -> dict[str, str]:
    try:
        text = _digests_path(folder, name).read_text(encoding="utf-8")
        return TypeAdapter(dict[str, str]).validate_json(text)
    except (OSError, ValueError):
        return {}  # genctl downloaded none of its files


def _digests_path(folder: Path, name: str) -> Path:
    return folder / f".genctl-{name}.json"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
