"""Small files that claim to be huge: refused before memory is allocated for them."""

import io
import json
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.conftest import Completed, RunGenctl
from tests.faults.refusal import changed, contents, require_line, require_sample
from tests.support.forge import header, rewritten, with_header
from tests.support.processes import limit_memory, run_forked

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
SPARE = 200 * 2**20  # bytes that a refusal may use


def claimed(model: bytes, *shape: int, end: int) -> bytes:
    """A model whose first tensor claims another shape and another end."""
    found = header(model)
    name = next(name for name in found if name != "__metadata__")
    found[name] |= {"shape": list(shape), "data_offsets": [0, end]}
    return with_header(model, json.dumps(found))


def long_header(entries: int) -> bytes:
    """A header of many tensors without their data."""
    found = {
        f"t{i}": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for i in range(entries)
    }
    text = json.dumps(found).encode()
    return struct.pack("<Q", len(text)) + text + bytes(4)


def deflated() -> bytes:
    """A compressed file of torch that unpacks to 32 MiB, a thousand times its size."""
    stored, packed = io.BytesIO(), io.BytesIO()
    torch.save(torch.zeros(2**23), stored)
    with zipfile.ZipFile(stored) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    return packed.getvalue()


def strided() -> bytes:
    """A file of torch in which one number stands for four tebibytes."""
    buffer = io.BytesIO()
    torch.save(torch.zeros(1).expand(2**40), buffer)
    return buffer.getvalue()


BOMBS = {
    "2^40 numbers": lambda model: claimed(model, 2**40, end=2**42),
    "2^40 numbers of no bytes": lambda model: claimed(model, 2**40, end=0),
    "2^62 x 4 numbers": lambda model: claimed(model, 2**62, 4, end=4),
    "a header of 100 MB": lambda model: struct.pack("<Q", 10**8) + b"{" + b" " * 10**8,
    "a header of 2^64 bytes": lambda model: struct.pack("<Q", 2**64 - 1) + model[8:],
    "100,000 tensors": lambda model: long_header(100_000),
    "50,000 tensors": lambda model: long_header(50_000),
    "a deflated pickle": lambda model: deflated(),
    "a strided pickle": lambda model: strided(),
}


@linux
@pytest.mark.fault("D5")
@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_is_refused_in_little_memory(
    what: str, genctl: RunGenctl, untrained_model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bomb.safetensors"
    path.write_bytes(BOMBS[what](untrained_model.read_bytes()))  # type: ignore[no-untyped-call]
    require_cheap_refusal(path, tmp_path)
    require_sample(genctl, untrained_model)


def require_cheap_refusal(path: Path, folder: Path) -> Completed:
    """Require that sampling from ``path`` is refused with little memory."""
    before = contents(folder)
    done = run_forked(folder, ["sample", "--run", str(path), "--quiet"], limit_memory(SPARE))
    assert (done.code, done.out) == (65, ""), done.err
    require_line(done, str(path))
    streams = [str(folder / "err"), str(folder / "out")]
    assert [name for name in changed(before, folder) if name not in streams] == []
    return done


HUGE: dict[str, dict[str, Any]] = {
    "a gigabyte": {"generator_channels": [4000, 4000]},
    "wide": {"generator_channels": [10**9, 10**9]},
    "wider than any tensor": {"encoder_channels": [10**18, 10**18]},
    "wider than any number": {"critic_hidden_dim": 10**30, "encoder_channels": [10**30, 3]},
    "deep": {"kind": "resnet", "channels": [8, 8, 8], "blocks_per_resolution": 10**9},
}


@linux
@pytest.mark.fault("D5")
@pytest.mark.parametrize("what", HUGE)
def test_a_config_with_huge_networks_is_refused_in_little_memory(
    what: str, untrained_model: Path, tmp_path: Path
) -> None:
    def enlarge(found: Any, metadata: Any) -> None:
        networks = metadata["config"]["networks"]
        metadata["config"]["networks"] = (
            HUGE[what] if "kind" in HUGE[what] else networks | HUGE[what]
        )

    require_cheap_refusal(
        rewritten(untrained_model, tmp_path / "huge.safetensors", enlarge), tmp_path
    )


@linux
@pytest.mark.fault("D5")
@pytest.mark.parametrize("shape", [(2**40, 16), (2**62, 4)])
def test_a_file_of_codes_that_claims_to_be_huge_is_refused(
    shape: tuple[int, int], untrained_model: Path, tmp_path: Path
) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_2_0(
        head, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(tmp_path / "codes.npz", "w") as archive:
        archive.writestr("codes.npy", head.getvalue() + bytes(64))
    words = ["sample", "--run", str(untrained_model), "--condition", "codes.npz", "--quiet"]
    done = run_forked(tmp_path, words, limit_memory(SPARE))
    assert done.code == 65
    require_line(done, "codes.npz: not a file of codes")
