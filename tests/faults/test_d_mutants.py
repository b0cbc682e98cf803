"""Thousands of mutated model files and checkpoints: refused, or as good as the file they come from.

A fork of this process reads them as the commands do, with little memory left and little time for
each; what it has to say against any of them it writes into a file.
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
from genctl.inference.samples import SampleRequest, SampleSet
from genctl.model import Model
from genctl.runs import model_file
from genctl.training.state import State
from tests.conftest import RunGenctl
from tests.faults.mutate import UNSIGNED, with_odd_fact, with_odd_tensor
from tests.support.models import save_model
from tests.support.processes import limit_memory
from tests.support.tiny import tiny

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")

SPARE = 300 * 2**20  # bytes that reading may take, besides what the process has
SECONDS = 20  # of computing for each file; on a busy machine they last longer
CPU = torch.device("cpu")


Judge = Callable[[Path, bool], None]


def survey(untrained_model: Path, kind: str, count: int, seed: int, judge: Judge) -> list[str]:
    """Let ``judge`` look at ``count`` mutants of a file; returns what it says against them."""
    content = untrained_model.read_bytes()
    found, metadata, _ = tensors.read(untrained_model, kind)
    chance, path, complaints = random.Random(seed), Path("mutant.safetensors"), []
    for number in range(count):
        is_signed = number % 2 == 1
        if is_signed:
            way: Any = chance.choice([with_odd_fact, with_odd_fact, with_odd_tensor])
            mutant = way(found, metadata, chance)
        else:
            way = chance.choice(UNSIGNED)
            mutant = way(content, chance)
        path.write_bytes(mutant)
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        try:
            judge(path, is_signed)
        except BaseException:
            complaints.append(f"mutant {number} ({way.__name__}): {traceback.format_exc()}")
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return complaints


def in_little_memory(folder: Path, work: Callable[[], list[str]]) -> list[str]:
    """What ``work`` returns when it is done in a fork of this process that cannot grow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fork of a process with threads, which are idle
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
    assert os.waitstatus_to_exitcode(status) == 0, "it died, or took too long over one file"
    complaints: list[str] = json.loads((folder / "complaints.json").read_text())
    return complaints


def require(error: BadContent, path: Path) -> None:
    """A refusal must name the file and a way out, in one line."""
    (line,) = error.lines()
    assert str(path) in line
    assert "; " in line


def model_judge(untrained_model: Path) -> Judge:
    """Expects a refusal, or of an unsigned mutant the very model, of a signed one a picture."""
    expected = model_file.read(untrained_model, CPU)

    def judge(path: Path, is_signed: bool) -> None:
        try:
            found = model_file.read(path, CPU)
        except BadContent as error:
            require(error, path)
            return
        if is_signed:
            SampleSet.of(SampleRequest((), 2, 0), found).pixels(2)
            return
        assert found.metadata == expected.metadata
        weights = expected.model.state_dict()
        assert all(torch.equal(one, weights[key]) for key, one in found.model.state_dict().items())

    return judge


COUNTS = [pytest.param(300, id="300"), pytest.param(5000, id="5000", marks=pytest.mark.slow)]


@pytest.mark.fault("D4")
@pytest.mark.parametrize("count", COUNTS)
def test_mutated_models_are_refused_or_as_good_as_new(count: int, tmp_path: Path) -> None:
    untrained_model = save_model(tmp_path / "whole.safetensors")
    before, judge = untrained_model.read_bytes(), model_judge(untrained_model)
    assert (
        in_little_memory(tmp_path, lambda: survey(untrained_model, "model", count, 5, judge)) == []
    )
    assert untrained_model.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {
        "whole.safetensors", "mutant.safetensors", "complaints.json",
    }  # fmt: skip


@pytest.mark.fault("D4")
@pytest.mark.parametrize("count", COUNTS)
def test_mutated_checkpoints_are_refused_and_change_nothing(count: int, tmp_path: Path) -> None:
    config = tiny("condition.code_dim=4")
    untrained_model = tmp_path / "whole.safetensors"
    State(config, Model(config, 4)).save(untrained_model, {"seconds": 1.5, "precision": "fp32"})
    fresh = State(tiny("condition.code_dim=4", "training.seed=1"), Model(config, 4))
    before = {name: value.clone() for name, value in fresh.learned().items()}

    def judge(path: Path, is_signed: bool) -> None:
        try:
            fresh.load(path)
        except BadContent as error:
            require(error, path)
            kept = fresh.learned()
            assert all(torch.equal(kept[name], value) for name, value in before.items())
            return
        fresh.save(Path("again.safetensors"), {})  # it can be gone on from
        for name, value in fresh.learned().items():
            value.copy_(before[name])

    assert (
        in_little_memory(tmp_path, lambda: survey(untrained_model, "checkpoint", count, 6, judge))
        == []
    )


@pytest.mark.fault("D4")
def test_a_mutant_on_the_command_line_is_one_line(genctl: RunGenctl, tmp_path: Path) -> None:
    untrained_model, chance = save_model(tmp_path / "whole.safetensors"), random.Random(7)
    found, metadata, _ = tensors.read(untrained_model, "model")
    for number in range(60):
        way: Any = chance.choice([with_odd_fact, with_odd_tensor])
        Path("mutant.safetensors").write_bytes(way(found, metadata, chance))
        done = genctl(
            "sample", "--run", "mutant.safetensors", "--n", 1, "--out", "a.png", "--quiet"
        )
        assert done.code in (0, 65), (number, done.err)
        assert done.err.count("genctl: error: ") == (done.code == 65)
        assert len(done.err) < 3000
        assert done.err.isascii() or "\x1b" not in done.err
    assert genctl("sample", "--run", untrained_model, "--n", 1, "--out", "a.png").code == 0
