"""What words on a command line name: pictures, files of codes, places in a row."""

import re
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import torch
from torch import Tensor

from genctl.common.errors import BadContent, MissingInput, UsageError
from genctl.data.pictures import SUFFIXES

MAX_RATIO = 200  # of unpacked to packed size; codes come nowhere near
GLOB = re.compile(r"[*?\[]")


def picture_paths(spec: str) -> list[Path]:
    """The pictures that a file name, a folder or a glob names.

    Raises:
        MissingInput: there is none.
    """
    path = as_path(spec, "a picture")
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
        raise MissingInput(f"cannot find a picture in {spec}: check the path")
    return paths


def as_path(text: str, what: str) -> Path:
    """A path that can be asked for, with ``~`` spelled out.

    Raises:
        UsageError, MissingInput: no file can have that name.
    """
    try:
        path = Path(text).expanduser()
        path.exists()
    except (ValueError, RuntimeError) as error:
        raise UsageError(f"{what} {text[:80]}: no usable path: {error}") from None
    except OSError as error:
        raise MissingInput(f"cannot read {text[:80]}: {error.strerror}; check the path") from None
    if not text:
        raise UsageError(f"{what}: is empty; give a picture")
    return path


def read_codes(path: Path) -> Tensor:
    """The codes (N, width) of a file that ``genctl encode`` wrote.

    Raises:
        MissingInput, BadContent: it is not there, or no such file.
    """
    try:
        if path.exists() and not path.is_file():
            raise MissingInput(f"cannot read {path}: not a file; give one that `encode` wrote")
        with ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > MAX_RATIO * path.stat().st_size:
                raise BadContent(
                    f"cannot use {path}: it unpacks to {unpacked:,} bytes; no codes do"
                )
        with np.load(path, allow_pickle=False) as file:
            codes = file["codes"]
    except (BadContent, MissingInput):
        raise
    except FileNotFoundError:
        raise MissingInput(f"cannot read {path}: no such file; check the path") from None
    except Exception as error:  # zipfile and its decompressors raise errors of many kinds
        raise BadContent(
            f"cannot use {path}: not a file of codes: {error}; `genctl encode` writes one"
        ) from None
    if codes.ndim != 2 or codes.dtype != np.float32 or not np.isfinite(codes).all():
        raise BadContent(
            f"cannot use {path}: codes must be finite float32 of shape (N, width); "
            "`genctl encode` writes such"
        )
    return torch.from_numpy(codes)


def positions(part: str | None, count: int, option: str) -> list[int]:
    """The positions that ``3``, ``0:10`` or ``::2`` names among ``count``; None names all.

    Raises:
        UsageError: it is no index or slice, or names nothing.
    """
    if part is None and count:
        return list(range(count))
    if part is None:
        raise UsageError(f"{option}: there is nothing in it")
    words = part.split(":")
    try:
        chosen = (
            list(range(count)[slice(*(int(word) if word.strip() else None for word in words))])
            if len(words) > 1
            else [range(count)[int(part)]]
        )
    except (ValueError, TypeError, IndexError):
        raise UsageError(f"{option}: [{part}] names nothing among {count}; try [0:10]") from None
    if not chosen:
        raise UsageError(f"{option}: [{part}] names nothing among {count}; try [0:10]")
    return chosen
