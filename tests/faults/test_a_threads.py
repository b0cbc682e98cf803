"""A resumed run keeps the number of threads that was measured when it began."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from genctl.training import session
from genctl.training.step import Position, Step
from genctl.training.threads import VARIABLE, ThreadChoice
from tests.faults.resuming import RUN
from tests.support.processes import (
    Fault,
    all_of,
    require_same,
    run_training,
    signal_after_step,
)


def found(number: int) -> Fault:
    """Let a measurement find that this many threads are fastest; torch finds four cores."""

    def measure(step: Step, position: Position) -> ThreadChoice:
        return ThreadChoice(number, "measured", {1: 100.0, number: 200.0})

    def fault() -> None:
        os.environ.pop(VARIABLE)
        torch.set_num_threads(4)
        vars(session)["measure_threads"] = measure

    return fault


def environment(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / RUN / "environment.json").read_text())
    return content


@pytest.mark.fault("A9")
def test_a_resumed_run_keeps_the_number_that_it_began_with(tmp_path: Path) -> None:
    short = ("--set", "training.images=160")  # two threads on one busy core are slow
    stop = all_of(found(2), signal_after_step(signal.SIGTERM, step=5))
    assert run_training(tmp_path / "stopped", *short, fault=stop).code == 143
    first = environment(tmp_path / "stopped")
    assert (first["threads"], first["thread_rates"]) == (2, {"1": 100.0, "2": 200.0})
    done = run_training(tmp_path / "stopped", *short, fault=found(1))
    assert done.code == 0
    assert "2 threads (as before)" in done.err
    assert "warning" not in done.err
    assert environment(tmp_path / "stopped") == first | {"bit_exact": True}
    assert run_training(tmp_path / "whole", *short, fault=found(2)).code == 0
    require_same(tmp_path / "stopped" / RUN, tmp_path / "whole" / RUN)
