"""The decoded pictures of folders, in the user's cache.

A file is named after all that its content depends on: which files were read, with their sizes and
times, and how. So a folder that changes in any way is read again, and old files are deleted once
the cache is full.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from genctl.common import files, tensors
from genctl.common.errors import BadContent, CannotCreate, MissingInput, WriteFailed
from genctl.common.locks import waiting_lock
from genctl.data.folder_pixels import Pixels, Resize, read_pixels
from genctl.data.folder_scan import PictureFile

if TYPE_CHECKING:
    from genctl.common.reporting import Reporter

VERSION = 1
"""Increased whenever pictures are decoded differently."""
MAX_BYTES = 4 * 2**30
"""What all files of the cache may take together."""


def pixels_folder() -> Path:
    """The folder of all decoded pictures."""
    return files.cache_folder() / "pictures"


def cached_pixels(
    root: Path, listed: Sequence[PictureFile], size: int, resize: Resize, reporter: Reporter
) -> Pixels:
    """The pixels of the files ``listed`` below ``root``, from the cache or decoded now.

    Other processes that need the same pictures wait. A damaged file is replaced, with a warning;
    where nothing can be written, the pictures are decoded every time, with a warning too.
    """
    path = pixels_folder() / f"{_key(root, listed, size, resize)}.safetensors"
    try:
        if path.exists():
            return _read(path)
    except BadContent as error:
        reporter.warn(f"{error}; decoding the pictures again")
    with contextlib.ExitStack() as stack:
        writable = True
        try:
            files.make_folder(path.parent)
            lock = waiting_lock(path.with_suffix(".lock"), reporter, "that reads the same pictures")
            stack.enter_context(lock)
        except (CannotCreate, OSError) as error:
            writable = False
            reporter.warn(f"the decoded pictures are not kept: {error}")
        if path.exists():  # another process has decoded them in the meantime
            with contextlib.suppress(BadContent, MissingInput):
                return _read(path)
        task = f"reading {len(listed):,} pictures"
        names = [file.name for file in listed]
        pixels = read_pixels(
            root, names, size, resize, lambda share: reporter.progress(task, share)
        )
        if writable and len(pixels.index):
            _write(path, pixels, reporter)
    return pixels


def cache_bytes() -> int:
    """The size of all decoded pictures."""
    return sum(size for _, size, _ in _entries())


def _key(root: Path, listed: Sequence[PictureFile], size: int, resize: Resize) -> str:
    sha = hashlib.sha256(repr((VERSION, os.fsencode(root.resolve()), size, resize)).encode())
    for name, *numbers in listed:
        sha.update(repr((os.fsencode(name), *numbers)).encode())
    return sha.hexdigest()[:32]


def _read(path: Path) -> Pixels:
    content, metadata, _ = tensors.read(path, "pictures")
    path.touch()  # the files that were used least recently are deleted first
    arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in content.items()}
    return Pixels(**arrays, broken=metadata["broken"])


def _write(path: Path, pixels: Pixels, reporter: Reporter) -> None:
    arrays = {
        field.name: torch.from_numpy(getattr(pixels, field.name))
        for field in fields(pixels)
        if field.name != "broken"
    }
    needed = sum(array.nbytes for array in arrays.values())
    if needed > MAX_BYTES:
        reporter.info(
            f"the decoded pictures take {needed / 2**30:.1f} GB, more than the cache's "
            f"{MAX_BYTES / 2**30:.0f} GB: they are decoded at every start"
        )
        return
    _make_room(needed)
    try:
        tensors.write(path, arrays, {"kind": "pictures", "broken": pixels.broken})
    except (CannotCreate, WriteFailed) as error:
        reporter.warn(f"the decoded pictures are not kept: {error}")


def _make_room(needed: int) -> None:
    """Delete the files that were used least recently."""
    files.remove_leftovers(pixels_folder())
    entries = sorted(_entries())
    total = sum(size for _, size, _ in entries)
    for _, size, path in entries:
        if total + needed <= MAX_BYTES:
            return
        path.unlink(missing_ok=True)
        total -= size


def _entries() -> list[tuple[float, int, Path]]:
    """Time of the last use, size and path of every file in the cache."""
    found = []
    for path in pixels_folder().glob("*.safetensors"):
        with contextlib.suppress(FileNotFoundError):  # deleted by another process
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
    return found
