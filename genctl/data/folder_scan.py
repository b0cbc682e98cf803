"""Finding the files of a folder, at any depth, without opening one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from genctl.common.errors import MissingInput
from genctl.data.pictures import SUFFIXES

TABLE_SUFFIXES = frozenset({".jsonl", ".csv"})


class PictureFile(NamedTuple):
    """A file, and what tells that it was replaced by another."""

    name: str  # below the folder, with slashes
    size: int  # bytes
    modified: int  # nanoseconds
    changed: int  # nanoseconds; unlike the time of modification, no program can set it


@dataclass
class Scan:
    """What lies below a folder. Hidden files and folders are left out."""

    root: Path
    pictures: list[PictureFile] = field(default_factory=list)  # sorted by name
    others: Counter[str] = field(default_factory=Counter)  # files by ending: {".txt": 3}


def scan_folder(root: Path) -> Scan:
    """Every picture below ``root``, by its ending; links to folders are followed once.

    Raises:
        MissingInput: it is not a folder, or a folder in it cannot be read.
    """
    if not root.is_dir():
        raise MissingInput(f"cannot read data.root {root}: not a folder; check the path")
    scan = Scan(root)
    for name, entry in _files(root, "", set()):
        suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 (a Path for each takes seconds)
        if suffix in SUFFIXES:
            status = entry.stat()
            scan.pictures.append(
                PictureFile(name, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            )
        elif suffix not in TABLE_SUFFIXES:
            scan.others[suffix] += 1
    scan.pictures.sort(key=lambda file: file.name.split("/"))
    return scan


def _files(
    folder: Path | str, prefix: str, seen: set[tuple[int, int]]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """The files below a folder with their names; ``seen`` keeps links from leading in circles."""
    try:
        with os.scandir(folder) as found:
            entries = list(found)
        status = os.stat(folder)  # noqa: PTH116
    except OSError as error:
        raise MissingInput(
            f"cannot read {folder}: {error.strerror}; make it readable or move it away"
        ) from None
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if entry.is_dir():
            yield from _files(entry.path, f"{prefix}{entry.name}/", seen)
        elif entry.is_file():  # not a pipe, and not a link to nowhere
            yield prefix + entry.name, entry
