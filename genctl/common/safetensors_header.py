"""The header of a safetensors file, which names its tensors and their bytes; read without torch."""

import json
import os
from pathlib import Path
from typing import Any, BinaryIO

from genctl.common.errors import BadContent

MAX_HEADER = 4 * 1024 * 1024  # bytes, for names, shapes and metadata


def read_header(file: BinaryIO, path: Path) -> tuple[int, dict[str, Any]]:
    """The number of bytes before the tensors, and the header: ``__metadata__`` and tensors by name.

    Raises:
        BadContent: it is not a safetensors file, or its header is damaged.
    """
    size = os.fstat(file.fileno()).st_size
    start = file.read(9)  # the length of the header, and the brace that begins it
    if size < 9:
        raise BadContent(truncated(path, "at least 9", size))
    length = int.from_bytes(start[:8], "little")
    if not 0 < length <= MAX_HEADER or start[8:] != b"{":
        raise BadContent(
            f"cannot use {path}: not a safetensors file, and pickles and other formats "
            "are never opened; give a model.safetensors that genctl wrote"
        )
    start += file.read(length - 1)
    if len(start) < 8 + length:
        raise BadContent(truncated(path, f"at least {8 + length:,}", size))
    return len(start), _parsed(start[8:], path)


def truncated(path: Path, expected: str, found: int) -> str:
    """The message for a file that is shorter than its header says."""
    return f"cannot use {path}: truncated: expected {expected} bytes, found {found:,}; get it again"


def damaged(path: Path, error: Exception) -> str:
    """The message for a header that cannot be read."""
    return f"cannot use {path}: damaged header: {short(error)}; get it again"


def short(error: Exception) -> str:
    """The text of an error on one line of limited length."""
    return " ".join(str(error).split())[:200]


def _parsed(header: bytes, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(header, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise BadContent(damaged(path, error)) from None
    if not isinstance(found.get("__metadata__", {}), dict):
        raise BadContent(f"cannot use {path}: damaged header: no metadata; get it again")
    return dict(found)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; duplicate keys are refused, since readers disagree on what they mean."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a duplicate key")
    return found
