"""Tensor files with a digest: what is read is what was written, or it is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save
from torch import Tensor

from genctl.common import tensors
from genctl.common.errors import BadContent, MissingInput

METADATA = {"kind": "thing", "numbers": [1, 2.5], "text": "ä"}
CONTENT = {
    "float": torch.tensor([[1.0, -0.0], [1e-40, 3e38]]),
    "half": torch.tensor([1.5]).bfloat16(),
    "count": torch.tensor(7),
    "nothing": torch.empty(3, 0),
    "transposed": torch.arange(6.0).reshape(2, 3).T,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.safetensors"


def forge(path: Path, content: dict[str, Tensor], metadata: Any) -> None:
    """Write a file with a valid digest but any metadata."""
    text = json.dumps(metadata)
    header = {"format": "genctl 1", "metadata": text, "sha256": tensors._digest(content, text)}
    path.write_bytes(save(content, header))


def test_what_was_written_is_read(path: Path) -> None:
    digest = tensors.write(path, CONTENT, METADATA)
    content, metadata, read_digest = tensors.read(path, "thing")
    assert metadata == METADATA
    assert digest == read_digest
    assert content.keys() == CONTENT.keys()
    for name, tensor in CONTENT.items():
        assert content[name].dtype == tensor.dtype
        assert torch.equal(content[name], tensor)


def test_the_same_content_makes_the_same_file(path: Path) -> None:
    written = set()
    for _ in range(10):
        tensors.write(path, CONTENT, METADATA)
        written.add(path.read_bytes())
    assert len(written) == 1


def test_the_digest_depends_on_every_part(path: Path) -> None:
    base = {"a": torch.zeros(2, 3), "b": torch.ones(1)}
    variants: list[tuple[dict[str, Tensor], dict[str, Any]]] = [
        (base, METADATA),
        (base, METADATA | {"text": "a"}),
        ({"a": torch.zeros(3, 2), "b": torch.ones(1)}, METADATA),
        ({"a": torch.zeros(2, 3), "c": torch.ones(1)}, METADATA),
        ({"a": torch.zeros(2, 3).int(), "b": torch.ones(1)}, METADATA),
        ({"a": torch.zeros(2, 3), "b": torch.ones(1) * 2}, METADATA),
    ]
    digests = {tensors.write(path, content, metadata) for content, metadata in variants}
    assert len(digests) == len(variants)


def test_any_changed_or_missing_byte_is_noticed(path: Path) -> None:
    tensors.write(path, {"a": torch.arange(16.0)}, METADATA)
    whole = path.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 0x10
        path.write_bytes(changed)
        try:
            content, metadata, _ = tensors.read(path, "thing")
        except BadContent:
            continue
        # Padding of the header may change; what is read may not.
        assert metadata == METADATA
        assert torch.equal(content["a"], torch.arange(16.0))
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(BadContent):
            tensors.read(path, "thing")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "truncated: expected at least 9 bytes, found 0"),
        (b"\x80\x02pickled", "not a safetensors file.*pickles and other formats are never"),
        (b"\xff" * 100, "not a safetensors file"),
        ((2).to_bytes(8, "little") + b"[]", "not a safetensors file"),
        ((1).to_bytes(8, "little") + b"{", "damaged header"),
        (save({"a": torch.zeros(1)}), "not written by genctl"),
        (save({"a": torch.zeros(1)}, {"format": "genctl 2"}), "needs a newer genctl"),
        (save({"a": torch.zeros(1)}, {"format": "genctl 1"}), "damaged"),
        (save({"a": torch.zeros(1)}, {"format": "genctl 1", "metadata": "{"}), "damaged"),
        (save({"a": torch.zeros(1)}, {"format": "genctl 1", "metadata": "{}"}), "SHA-256 mismatch"),
        (save({"a": torch.zeros(1)}, {"format": "genctl 1", "metadata": "[" * 10**5}), "damaged"),
    ],
)
def test_other_files_are_refused_with_the_reason(content: bytes, why: str, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(BadContent, match=why) as raised:
        tensors.read(path, "thing")
    assert str(path) in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_a_missing_file_is_reported(path: Path) -> None:
    with pytest.raises(MissingInput, match="No such file"):
        tensors.read(path, "thing")


def test_another_kind_of_file_is_refused(path: Path) -> None:
    tensors.write(path, {}, METADATA)
    with pytest.raises(BadContent, match="it holds a thing, not a model"):
        tensors.read(path, "model")


@pytest.mark.parametrize("metadata", [[], "text", 7, None])
def test_metadata_that_is_no_object_is_refused(metadata: Any, path: Path) -> None:
    forge(path, {"a": torch.zeros(1)}, metadata)
    with pytest.raises(BadContent, match="not a JSON object"):
        tensors.read(path, "thing")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_values_that_are_not_finite_are_refused(value: float, dtype: torch.dtype) -> None:
    content = {"good": torch.ones(3), "bad": torch.tensor([1, value], dtype=dtype)}
    with pytest.raises(BadContent, match="bad holds values that are not finite"):
        tensors.require_finite(content, Path("file"))


def test_float8_and_integers_are_checked_too() -> None:
    content = {"tiny": torch.ones(2).to(torch.float8_e5m2), "count": torch.tensor([1])}
    tensors.require_finite(content, Path("file"))
    with pytest.raises(BadContent, match="tiny"):
        tensors.require_finite({"tiny": torch.tensor([float("inf")]).to(torch.float8_e5m2)},
                               Path("file"))  # fmt: skip
