"""Files from strangers: damaged, disguised, or written by somebody who knows the format."""

import builtins
import io
import json
import os
import pickle
import struct
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from genctl.common import tensors

Change = Callable[[dict[str, torch.Tensor], dict[str, Any]], Any]


def header(content: bytes) -> dict[str, Any]:
    """The JSON in front of the tensors."""
    return json.loads(content[8 : header_end(content)])  # type: ignore[no-any-return]


def header_end(content: bytes) -> int:
    """The offset of the first byte of the tensors."""
    (length,) = struct.unpack("<Q", content[:8])
    return int(8 + length)


def with_header(content: bytes, text: str) -> bytes:
    """The same tensors with another header."""
    raw = text.encode() + b" " * (-len(text.encode()) % 8)
    return struct.pack("<Q", len(raw)) + raw + content[header_end(content) :]


def rewritten(original: Path, path: Path, change: Change, kind: str = "model") -> Path:
    """A changed copy of a file, with a matching digest."""
    found, metadata, _ = tensors.read(original, kind)
    change(found, metadata)
    tensors.write(path, found, metadata)
    return path


def signed(content: dict[str, torch.Tensor], metadata: Any) -> bytes:
    """A file with a matching digest, as somebody who knows the format would write it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "signed.safetensors"
        tensors.write(path, {name: tensor.clone() for name, tensor in content.items()}, metadata)
        return path.read_bytes()


class Payload:
    """An object that runs ``call(text)`` when it is unpickled."""

    def __init__(self, call: Callable[..., Any], text: str) -> None:
        self.call, self.text = call, text

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call, (self.text,)


def disguises(canary: Path) -> dict[str, bytes]:
    """Pickles that create ``canary``, in every format in which models are passed on."""
    shell = Payload(os.system, f"touch {canary}")
    python = Payload(builtins.eval, f"open({str(canary)!r}, 'w')")
    bare = pickle.dumps(shell)
    archive, legacy, tar = io.BytesIO(), io.BytesIO(), io.BytesIO()
    torch.save({"model": {"weight": torch.zeros(2), "more": [python]}}, archive)
    torch.save({"model": shell}, legacy, _use_new_zipfile_serialization=False)
    with tarfile.open(fileobj=tar, mode="w") as packed:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            entry = tarfile.TarInfo(name)
            entry.size = len(bare)
            packed.addfile(entry, io.BytesIO(bare))
    inside = torch.frombuffer(bytearray(bare), dtype=torch.uint8)
    metadata = {"kind": "model", "config": bare.hex()}
    return {
        "protocol 0": pickle.dumps(python, protocol=0),
        "protocol 2": pickle.dumps(python, protocol=2),
        "protocol 5": bare,
        "zip of torch.save": archive.getvalue(),
        "old torch.save": legacy.getvalue(),
        "tar of old torch versions": tar.getvalue(),
        "7z": b"7z\xbc\xaf\x27\x1c\x00\x04" + bare,
        "behind a length": struct.pack("<Q", len(bare)) + bare,
        "behind a header": save({"a": torch.zeros(1)}, {"format": "genctl 1"}) + bare,
        "as a signed tensor": signed({"a": inside}, metadata),
    }
