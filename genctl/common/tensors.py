"""Safetensors files with JSON metadata and a SHA-256 digest of both. No pickle."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from genctl import __version__
from genctl.common.errors import BadContent, MissingInput, TooNew
from genctl.common.files import atomic_write
from genctl.common.safetensors_header import damaged, read_header, short, truncated

FORMAT = 1


def write(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> str:
    """Write tensors and metadata that JSON can hold to one file, atomically.

    Returns:
        The SHA-256 digest in the file.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(metadata, sort_keys=True)
    digest = _digest(tensors, text)
    header = {"format": f"genctl {FORMAT}", "metadata": text, "sha256": digest}
    atomic_write(path, _with_sorted_header(save(tensors, header)))
    return digest


def read(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any], str]:
    """Read a file that ``write`` wrote; refuse any other.

    Args:
        path: the file.
        kind: the value that ``metadata["kind"]`` must have.

    Returns:
        The tensors, the metadata, and the digest of both.

    Raises:
        MissingInput: the file does not exist or cannot be read.
        BadContent: it is not such a file, or it was changed.
        TooNew: it has a later format.
    """
    content, header = _content(path)
    if not str(header.get("format", "")).startswith("genctl "):
        raise BadContent(f"cannot use {path}: not written by genctl; give a model.safetensors")
    if header["format"] != f"genctl {FORMAT}":
        raise TooNew(
            f"cannot use {path}: its format is {header['format']!r}, which needs a newer genctl; "
            f"this one is {__version__}"
        )
    try:
        tensors = load(content)
        metadata = json.loads(header["metadata"])
    except (SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise BadContent(f"cannot use {path}: damaged: {short(error)}; get it again") from None
    digest = _digest(tensors, header["metadata"])
    if header.get("sha256") != digest:
        raise BadContent(f"cannot use {path}: SHA-256 mismatch, so it was changed; get it again")
    if not isinstance(metadata, dict):
        raise BadContent(f"cannot use {path}: its metadata is not a JSON object; get it again")
    if metadata.get("kind") != kind:
        raise BadContent(
            f"cannot use {path}: it holds a {metadata.get('kind')}, not a {kind}; name another file"
        )
    return tensors, metadata, digest


def require_finite(tensors: dict[str, Tensor], path: Path) -> None:
    """Refuse weights that are infinite or NaN.

    Raises:
        BadContent: naming the first such tensor.
    """
    name = first_non_finite(tensors)
    if name:
        raise BadContent(
            f"cannot use {path}: {name} holds values that are not finite; get it again"
        )


def first_non_finite(tensors: dict[str, Tensor]) -> str | None:
    """The name of the first tensor with an infinite value or a NaN; all on the same device."""
    floats = {name: tensor for name, tensor in tensors.items() if tensor.is_floating_point()}
    if not floats:
        return None
    # There is no isfinite for float8.
    values = (
        tensor.float() if tensor.element_size() == 1 else tensor for tensor in floats.values()
    )
    # Read all answers at once: each reading makes the CPU wait for a GPU.
    finite = torch.stack([torch.isfinite(value).all() for value in values]).tolist()
    return next((name for name, ok in zip(floats, finite, strict=True) if not ok), None)


def _content(path: Path) -> tuple[bytes, dict[str, str]]:
    """The bytes of a file, whose length must be as in its header, and the header's metadata."""
    try:
        if path.exists() and not path.is_file():
            raise MissingInput(f"cannot read {path}: not a file; check the path")
        with path.open("rb") as file:
            start, header = read_header(file, path)
            size = os.fstat(file.fileno()).st_size
            expected = start + _length_of_tensors(header, path)
            if size < expected:
                raise BadContent(truncated(path, f"{expected:,}", size))
            if size > expected:
                raise BadContent(
                    f"cannot use {path}: {size - expected:,} bytes follow its end; get it again"
                )
            file.seek(0)
            content = file.read()
    except OSError as error:
        raise MissingInput(f"cannot read {path}: {error.strerror}; check the path") from None
    return content, dict(header.get("__metadata__") or {})


def _length_of_tensors(header: dict[str, Any], path: Path) -> int:
    """Where the last tensor ends, in bytes after the header."""
    try:
        entries = [entry for name, entry in header.items() if name != "__metadata__"]
        return max((int(entry["data_offsets"][1]) for entry in entries), default=0)
    except (TypeError, LookupError, ValueError, OverflowError) as error:
        raise BadContent(damaged(path, error)) from None


def _with_sorted_header(content: bytes) -> bytes:
    """The same file with its header sorted: safetensors writes it in varying order."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # keeps the tensors aligned
    return len(header).to_bytes(8, "little") + header + content[end:]


def _digest(tensors: dict[str, Tensor], metadata: str) -> str:
    sha = hashlib.sha256(metadata.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        sha.update(repr((name, str(tensor.dtype), tuple(tensor.shape))).encode())
        sha.update(tensor.flatten().view(torch.uint8).numpy().data)
    return sha.hexdigest()
