"""Pickles in disguise, cut files and flipped bits: refused, and never executed."""

import io
import os
import pickle
import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genctl.common.files import PREFIX
from tests.conftest import RunGenctl
from tests.faults.refusal import commands, refuse, require_sample
from tests.support.forge import Payload, disguises, header, header_end, with_header
from tests.support.processes import differing_parts, outcome, run_training, signal_after_step

WHAT = tuple(disguises(Path("canary")))


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A file that must not exist after the test."""
    path = tmp_path / "canary"
    yield path
    assert not path.exists(), "foreign code has run"


@pytest.fixture
def unpicklers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Watch every function that unpickles; the test fails if one was called."""
    called: list[str] = []
    functions = [(pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load"),
             (torch.jit, "load"), (torch.serialization, "load")]  # fmt: skip
    for module, name in functions:
        function = getattr(module, name)

        def watched(
            *arguments: Any, function: Any = function, name: str = name, **words: Any
        ) -> Any:
            called.append(name)
            return function(*arguments, **words)

        monkeypatch.setattr(module, name, watched)
    yield called
    assert called == []


# -- D1: pickles -----------------------------------------------------------------------------------


@pytest.mark.fault("D1")
@pytest.mark.parametrize("what", WHAT)
def test_a_pickle_in_any_disguise_is_refused_by_every_command(
    what: str,
    genctl: RunGenctl,
    canary: Path,
    unpicklers: list[str],
    untrained_model: Path,
    tmp_path: Path,
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(disguises(canary)[what])
    for command in commands(path):
        refuse(genctl, command, str(path))
    require_sample(genctl, untrained_model)


@pytest.mark.fault("D1")
@pytest.mark.parametrize("form", ["array of objects", "bare pickle"])
def test_a_pickle_in_a_file_of_codes_is_refused(
    form: str,
    genctl: RunGenctl,
    canary: Path,
    unpicklers: list[str],
    untrained_model: Path,
    tmp_path: Path,
) -> None:
    payload = Payload(os.system, f"touch {canary}")
    buffer = io.BytesIO()
    np.savez(buffer, codes=np.array([payload], dtype=object))
    content = buffer.getvalue() if form == "array of objects" else pickle.dumps(payload)
    (tmp_path / "codes.npz").write_bytes(content)
    command = ("sample", "--run", untrained_model, "--condition", "codes.npz", "--out", "out.png")
    refuse(genctl, command, "codes.npz: not a file of codes")
    require_sample(genctl, untrained_model)


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """The run directory of an interrupted run."""
    assert run_training(tmp_path, fault=signal_after_step(signal.SIGTERM, step=17)).code == 143
    return tmp_path / "runs" / "run"


@pytest.mark.fault("D1")
def test_a_resumed_run_renames_planted_pickles_and_ends_with_the_same_bits(
    canary: Path, interrupted: Path, uninterrupted_run: Path
) -> None:
    planted = {
        interrupted / "checkpoints" / f"{10**8 + number:09d}.safetensors": content
        for number, content in enumerate(disguises(canary).values())
    }
    for path, content in planted.items():
        path.write_bytes(content)
    done = run_training(canary.parent)
    assert done.code == 0, done.err
    assert done.err.count("genctl: warning: cannot use ") == len(planted)
    for path, content in planted.items():
        assert path.with_suffix(".damaged").read_bytes() == content
    assert differing_parts(outcome(interrupted), outcome(uninterrupted_run)) == []


# -- D2: cut or too long ---------------------------------------------------------------------------


def sizes(content: bytes) -> dict[str, bytes]:
    end = header_end(content)
    return {
        "nothing": b"",
        "7 bytes": content[:7],
        "8 bytes": content[:8],
        "half a header": content[: end // 2],
        "all but one byte of the header": content[: end - 1],
        "the header alone": content[:end],
        "half": content[: len(content) // 2],
        "all but one byte": content[:-1],
        "a byte more": content + b"\0",
        "itself twice": content + content,
    }


@pytest.mark.fault("D2")
@pytest.mark.parametrize("what", sizes(b"\1" + bytes(7) + b"{}"))
def test_a_file_of_another_length_is_refused_with_both_lengths(
    what: str, genctl: RunGenctl, untrained_model: Path, tmp_path: Path
) -> None:
    content = sizes(untrained_model.read_bytes())[what]
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    for command in commands(path):
        line = refuse(genctl, command, "bytes").err
        if len(content) < untrained_model.stat().st_size:
            assert "truncated: expected " in line
            assert f"found {len(content):,}" in line
        else:
            assert f"{len(content) - untrained_model.stat().st_size:,} bytes follow its end" in line
    shutil.copy(untrained_model, path)
    require_sample(genctl, path)


@pytest.mark.fault("D2")
def test_a_resumed_run_skips_cut_checkpoints(interrupted: Path, uninterrupted_run: Path) -> None:
    newest = max((interrupted / "checkpoints").glob("*.safetensors"))
    cuts = list(sizes(newest.read_bytes()).values())
    for number, content in enumerate(cuts):
        newest.with_name(f"{10**8 + number:09d}.safetensors").write_bytes(content)
    done = run_training(interrupted.parent.parent)
    assert done.code == 0, done.err
    assert done.err.count("continuing from the checkpoint before it") == len(cuts)
    assert differing_parts(outcome(interrupted), outcome(uninterrupted_run)) == []
    assert list(interrupted.rglob(f"{PREFIX}*")) == []


# -- D3: one bit -----------------------------------------------------------------------------------


@pytest.mark.fault("D3")
def test_each_of_fifty_flipped_bits_is_refused(
    genctl: RunGenctl, untrained_model: Path, tmp_path: Path
) -> None:
    content, chance = untrained_model.read_bytes(), random.Random(3)
    end, path = header_end(content), tmp_path / "model.safetensors"
    places = [chance.randrange(end, len(content)) for _ in range(35)]
    places += [chance.randrange(end) for _ in range(15)]
    for place in places:
        changed = bytearray(content)
        changed[place] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        command = commands(path)[place % 2]
        refuse(genctl, command, "SHA-256 mismatch" if place >= end else str(path))
    path.write_bytes(content)
    require_sample(genctl, path)


@pytest.mark.fault("D3")
def test_a_resumed_run_skips_checkpoints_with_a_flipped_bit(
    interrupted: Path, uninterrupted_run: Path
) -> None:
    newest, chance = max((interrupted / "checkpoints").glob("*.safetensors")), random.Random(3)
    content = newest.read_bytes()
    for number in range(50):
        changed = bytearray(content)
        changed[chance.randrange(header_end(content), len(content))] ^= 1 << chance.randrange(8)
        newest.with_name(f"{10**8 + number:09d}.safetensors").write_bytes(changed)
    done = run_training(interrupted.parent.parent)
    assert done.code == 0, done.err
    assert done.err.count("SHA-256 mismatch") == 50
    assert differing_parts(outcome(interrupted), outcome(uninterrupted_run)) == []


def test_blanks_after_the_header_change_nothing(untrained_model: Path) -> None:
    """This is the only accepted change: safetensors allows any number of blanks."""
    content = untrained_model.read_bytes()
    assert header(with_header(content, content[8 : header_end(content)].decode() + " " * 64)) == (
        header(content)
    )
