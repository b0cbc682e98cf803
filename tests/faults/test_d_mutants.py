"""Thousands of mutated model files and checkpoints: refused, or as good as the original.

A fork of this process reads them as the commands do, with little memory and little time for each,
and writes its complaints into a file.
"""

import json
import os
import random
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from genctl.common import tensors
from genctl.common.errors import BadContent
from genctl.config.build import build_model
from genctl.inference.samples import SampleRequest, SampleSet
from genctl.runs import model_file
from genctl.training.checkpoint import load_checkpoint, save_checkpoint
from genctl.training.state import State
from tests.conftest import RunGenctl
from tests.faults.mutate import UNSIGNED, with_odd_metadata, with_odd_tensor
from tests.support.models import save_model
from tests.support.processes import limit_memory
from tests.support.tiny import tiny

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")

SPARE = 300 * 2**20  # bytes that reading may use, besides what the process has
SECONDS = 20  # of CPU time for each file
CPU = torch.device("cpu")


Check = Callable[[Path, bool], None]


def survey(original: Path, kind: str, count: int, seed: int, check: Check) -> list[str]:
    """Run ``check`` on ``count`` mutants of a file; returns its complaints."""
    content = original.read_bytes()
    found, metadata, _ = tensors.read(original, kind)
    chance, path, complaints = random.Random(seed), Path("mutant.safetensors"), []
    for number in range(count):
        is_signed = number % 2 == 1
        if is_signed:
            way: Any = chance.choice([with_odd_metadata, with_odd_metadata, with_odd_tensor])
            mutant = way(found, metadata, chance)
        else:
            way = chance.choice(UNSIGNED)
            mutant = way(content, chance)
        path.write_bytes(mutant)
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        try:
            check(path, is_signed)
        except BaseException:
            complaints.append(f"mutant {number} ({way.__name__}): {traceback.format_exc()}")
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return complaints


def in_little_memory(folder: Path, work: Callable[[], list[str]]) -> list[str]:
    """The result of ``work`` in a fork of this process that cannot grow by more than SPARE."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about forking with threads, which are idle
        pid = os.fork()
    if not pid:
        code = 99
        try:
            os.chdir(folder)
            limit_memory(SPARE)()
            Path("complaints.json").write_text(json.dumps(work()))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "it was killed, or took too long for one file"
    complaints: list[str] = json.loads((folder / "complaints.json").read_text())
    return complaints


def require(error: BadContent, path: Path) -> None:
    """Require one line with the file and what to do."""
    (line,) = error.lines()
    assert str(path) in line
    assert "; " in line


def model_check(original: Path) -> Check:
    """Accept a refusal, the same model with an old digest, or any that samples with a new one."""
    expected = model_file.read(original, CPU)

    def check(path: Path, is_signed: bool) -> None:
        try:
            found = model_file.read(path, CPU)
        except BadContent as error:
            require(error, path)
            return
        if is_signed:
            SampleSet.from_request(SampleRequest((), 2, 0), found).pixels(2)
            return
        assert found.metadata == expected.metadata
        weights = expected.model.state_dict()
        assert all(torch.equal(one, weights[key]) for key, one in found.model.state_dict().items())

    return check


COUNTS = [pytest.param(300, id="300"), pytest.param(5000, id="5000", marks=pytest.mark.slow)]


@pytest.mark.fault("D4")
@pytest.mark.parametrize("count", COUNTS)
def test_mutated_models_are_refused_or_as_good_as_new(count: int, tmp_path: Path) -> None:
    original = save_model(tmp_path / "whole.safetensors")
    before, check = original.read_bytes(), model_check(original)
    assert in_little_memory(tmp_path, lambda: survey(original, "model", count, 5, check)) == []
    assert original.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {
        "whole.safetensors", "mutant.safetensors", "complaints.json",
    }  # fmt: skip


@pytest.mark.fault("D4")
@pytest.mark.parametrize("count", COUNTS)
def test_mutated_checkpoints_are_refused_and_change_nothing(count: int, tmp_path: Path) -> None:
    config = tiny("condition.code_dim=4")
    original = tmp_path / "whole.safetensors"
    save_checkpoint(State(config.optimizer, build_model(config, 4)), original, 1.5, "fp32")
    state = State(config.optimizer, build_model(tiny("condition.code_dim=4", "training.seed=1"), 4))
    before = {name: value.clone() for name, value in state.tensors().items()}

    def check(path: Path, is_signed: bool) -> None:
        try:
            load_checkpoint(state, path)
        except BadContent as error:
            require(error, path)
            kept = state.tensors()
            assert all(torch.equal(kept[name], value) for name, value in before.items())
            return
        save_checkpoint(state, Path("again.safetensors"), 0.0, "fp32")  # a run can resume from it
        for name, value in state.tensors().items():
            value.copy_(before[name])

    assert in_little_memory(tmp_path, lambda: survey(original, "checkpoint", count, 6, check)) == []


@pytest.mark.fault("D4")
def test_a_mutant_on_the_command_line_is_one_line(genctl: RunGenctl, tmp_path: Path) -> None:
    original, chance = save_model(tmp_path / "whole.safetensors"), random.Random(7)
    found, metadata, _ = tensors.read(original, "model")
    for number in range(60):
        way: Any = chance.choice([with_odd_metadata, with_odd_tensor])
        Path("mutant.safetensors").write_bytes(way(found, metadata, chance))
        done = genctl(
            "sample", "--run", "mutant.safetensors", "--n", 1, "--out", "a.png", "--quiet"
        )
        assert done.code in (0, 65), (number, done.err)
        assert done.err.count("genctl: error: ") == (done.code == 65)
        assert len(done.err) < 3000
        assert done.err.isascii() or "\x1b" not in done.err
    assert genctl("sample", "--run", original, "--n", 1, "--out", "a.png").code == 0
