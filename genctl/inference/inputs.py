"""What arguments name: pictures, files of codes, and indices."""

import re
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import torch
from torch import Tensor

from genctl.common.errors import BadContent, MissingInput, UsageError
from genctl.data.pictures import SUFFIXES

MAX_COMPRESSION = 200  # unpacked to packed size; codes compress far less
GLOB = re.compile(r"[*?\[]")


def picture_paths(spec: str) -> list[Path]:
    """The pictures that a file name, a folder or a glob names.

    Raises:
        UsageError: it is not a valid path or glob.
        MissingInput: there is none.
    """
    path = as_path(spec, "picture")
    if path.is_dir():
        paths = sorted(found for found in path.iterdir() if found.suffix.lower() in SUFFIXES)
    elif path.exists() or not GLOB.search(spec):
        return [path]
    else:
        anchor = Path(path.anchor) if path.is_absolute() else Path()
        try:
            paths = sorted(anchor.glob(str(path.relative_to(anchor))))
        except (ValueError, OSError) as error:
            raise UsageError(f"cannot look for {spec}: {error}; check the pattern") from None
    if not paths:
        raise MissingInput(f"cannot find a picture in {spec}: there is none; check the path")
    return paths


def as_path(text: str, what: str) -> Path:
    """A valid path, with ``~`` expanded; ``what`` names it in messages.

    Raises:
        UsageError, MissingInput: no file can have that name.
    """
    try:
        path = Path(text).expanduser()
        path.exists()
    except (ValueError, RuntimeError) as error:
        raise UsageError(f"{what} {text[:80]}: not a valid path: {error}; check the path") from None
    except OSError as error:
        raise MissingInput(f"cannot read {text[:80]}: {error.strerror}; check the path") from None
    if not text:
        raise UsageError(f"{what}: the path is empty; give a picture")
    return path


def read_codes(path: Path) -> Tensor:
    """The codes (N, code_dim) float32 of an npz file that ``genctl encode`` wrote.

    Raises:
        MissingInput: there is no such file.
        BadContent: the file does not hold codes.
    """
    try:
        if path.exists() and not path.is_file():
            raise MissingInput(
                f"cannot read {path}: not a file; give one that `genctl encode` wrote"
            )
        with ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > MAX_COMPRESSION * path.stat().st_size:
                raise BadContent(
                    f"cannot use {path}: it unpacks to {unpacked:,} bytes, far more than codes; "
                    "write it again with `genctl encode`"
                )
        with np.load(path, allow_pickle=False) as file:
            codes = file["codes"]
    except (BadContent, MissingInput):
        raise
    except FileNotFoundError:
        raise MissingInput(f"cannot read {path}: no such file; check the path") from None
    except Exception as error:  # zipfile and its decompressors raise errors of many kinds
        raise BadContent(
            f"cannot use {path}: not a file of codes: {error}; write one with `genctl encode`"
        ) from None
    if codes.ndim != 2 or codes.dtype != np.float32 or not np.isfinite(codes).all():
        raise BadContent(
            f"cannot use {path}: codes must be finite float32 of shape (N, code_dim); "
            "write them with `genctl encode`"
        )
    return torch.from_numpy(codes)


def select_indices(selection: str | None, count: int, option: str) -> list[int]:
    """The indices below ``count`` that ``3``, ``0:10`` or ``::2`` selects; all for None.

    Raises:
        UsageError: it is not an index or slice, or selects nothing.
    """
    if selection is None and count:
        return list(range(count))
    if selection is None:
        raise UsageError(f"{option}: it is empty; choose another")
    words = selection.split(":")
    try:
        if len(words) == 1:
            return [range(count)[int(selection)]]
        bounds = [int(word) if word.strip() else None for word in words]
        selected = list(range(count)[slice(*bounds)])
    except (ValueError, TypeError, IndexError):
        selected = []
    if not selected:
        raise UsageError(f"{option}: [{selection}] selects none of {count}; try [0:10]")
    return selected
