"""The number of threads is measured on steps of the run, which are undone."""

import math
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from genctl.common.devices import device_name
from genctl.training import threads
from genctl.training.engines.eager import Eager
from genctl.training.step import Position
from genctl.training.threads import (
    SlowdownNotice,
    fastest,
    known_threads,
    measure_threads,
)
from tests.conftest import RunGenctl
from tests.support.recorder import Recorder
from tests.support.tiny import tiny
from tests.training.builders import build_step, differing

CPU = torch.device("cpu")


def timings(seconds: dict[int, float]) -> Callable[[int, float], float]:
    """Steps that take the given seconds with each number of threads."""
    return lambda number, limit: seconds[number] if seconds[number] <= limit else math.inf


@pytest.mark.parametrize(
    ("seconds", "best", "measured"),
    [({1: 4.0, 2: 2.2, 4: 1.3, 8: 1.0, 12: 0.8}, 12, {1, 2, 4, 8, 12}),
     ({1: 4.0, 2: 2.2, 4: 1.3, 8: 1.25, 12: 0.1}, 4, {1, 2, 4, 8}),  # 8 are within noise
     ({1: 4.0, 2: 3.8}, 1, {1, 2}),  # within noise, too
     ({1: 1.0, 2: 50.0}, 1, {1, 2}),  # a busy core
     ({1: 1.0, 2: 0.5, 4: 50.0}, 2, {1, 2, 4}),
     ({1: 1.0, 2: 0.6, 3: 0.5}, 3, {1, 2, 3})],
)  # fmt: skip
def test_more_threads_are_tried_while_they_are_faster(
    seconds: dict[int, float], best: int, measured: set[int]
) -> None:
    chosen, found = fastest(timings(seconds), max(seconds))
    assert (chosen, set(found)) == (best, measured)
    assert all(found[number] in (seconds[number], math.inf) for number in measured)


def test_a_machine_that_slows_down_does_not_favour_one_thread() -> None:
    slowdown = 1.0

    def seconds(number: int, limit: float) -> float:
        nonlocal slowdown
        slowdown *= 1.05
        return slowdown * {1: 1.0, 2: 0.7}[number]

    assert fastest(seconds, 2)[0] == 2


def test_one_outlier_and_the_first_round_do_not_count() -> None:
    rounds = {1: iter([1.0, 1.0, 9.0, 1.0]), 2: iter([2.9, 0.6, 0.6, 0.6])}
    assert fastest(lambda number, limit: next(rounds[number]), 2)[0] == 2


class ThreadCount:
    """What torch would say of its number of threads; the real number stays as it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        self.number = number
        monkeypatch.setattr(torch, "set_num_threads", self.set)
        monkeypatch.setattr(torch, "get_num_threads", self.get)

    def get(self) -> int:
        return self.number

    def set(self, number: int) -> None:
        self.number = number


def test_a_slow_step_is_given_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    count, now, slow_layers = ThreadCount(monkeypatch, 2), 0.0, 0

    def clock() -> float:  # is read at each layer, for one
        nonlocal now, slow_layers
        slow_layers += count.number == 2
        now += 1.0 if count.number == 2 else 0.001
        return now

    monkeypatch.setattr(time, "perf_counter", clock)
    choice = measure_threads(build_step(tiny()), Position(0, 0, 0.0))
    assert (choice.number, set(choice.rates), choice.rates[2]) == (1, {1, 2}, 0)
    assert "2: far fewer" in choice.reason
    assert slow_layers < 5, "and not all layers of several steps"


@pytest.mark.parametrize("objective", ["relativistic", "hinge", "vae"])
def test_measuring_leaves_no_trace(objective: str, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides: tuple[str, ...] = (f"objective.kind={objective}", "condition.code_dim=4")
    if objective == "hinge":
        overrides += ("networks.critic_normalization=spectral",)
    measured, other = (build_step(tiny(*overrides)) for _ in range(2))
    count = ThreadCount(monkeypatch, 4)
    choice = measure_threads(measured, Position(0, 0, 0.0))
    assert count.number == 4, "restored"
    assert {1, 2} <= choice.rates.keys()
    assert differing(measured.state.tensors(), other.state.tensors()) == []
    assert all(p.requires_grad for p in measured.state.model.parameters())
    for step in (measured, other):
        Eager(step).run(Position(0, 0, 0.0))
    assert differing(measured.state.tensors(), other.state.tensors()) == []


def test_the_commonest_variant_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    step = build_step(tiny("objective.r1_interval=4"))
    ThreadCount(monkeypatch, 2)
    variants = set()
    compute = step.compute

    def recorded(variant: str, inputs: Any) -> Any:
        variants.add(variant)
        return compute(variant, inputs)

    monkeypatch.setattr(step, "compute", recorded)
    measure_threads(step, Position(0, 0, 0.0))
    assert variants == {""}


BEFORE = {"device": "cpu", "device_name": device_name(CPU), "threads": 2}


@pytest.mark.parametrize(
    ("setting", "variable", "before", "number"),
    [(3, "1", BEFORE, 3),  # the setting comes first
     ("auto", "8", BEFORE, 8),
     ("auto", "", BEFORE, 2),
     ("auto", "", BEFORE | {"threads": 64}, None),  # more than there are cores
     ("auto", "", BEFORE | {"device": "cuda"}, None),
     ("auto", "", {}, None)],
)  # fmt: skip
def test_settings_come_before_the_variable_and_that_before_the_recorded_number(
    setting: Any, variable: str, before: dict[str, Any], number: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv(threads.VARIABLE, variable)
    ThreadCount(monkeypatch, 8)
    choice = known_threads(setting, CPU, before=before)
    assert (choice.number if choice else None) == number


def test_nothing_is_measured_with_one_core_several_processes_or_a_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(threads.VARIABLE)
    choice = known_threads("auto", CPU)
    assert choice is not None
    assert choice.number == 1
    ThreadCount(monkeypatch, 4)
    for device, processes in ((CPU, 2), (torch.device("cuda"), 1)):
        choice = known_threads("auto", device, processes)
        assert choice is not None
        assert choice.number == 4


def test_a_slowdown_on_a_busy_machine_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reporter = Recorder()
    ThreadCount(monkeypatch, 2)
    monkeypatch.setattr(threads, "is_overloaded", lambda device: False)
    notice = SlowdownNotice(CPU, reporter)
    notice.check([500.0])
    notice.check([500.0, 1000.0, 300.0])
    assert reporter.messages == [], "something else made it slow"
    monkeypatch.setattr(threads, "is_overloaded", lambda device: True)
    notice.check([500.0, 1000.0, 600.0])
    assert reporter.messages == []
    for _ in range(2):
        notice.check([500.0, 1000.0, 300.0])
    (message,) = reporter.messages
    assert "from 1,000 to 300 images/s: 2 threads wait" in message


def test_the_setting_is_used_and_checked(genctl: RunGenctl) -> None:
    arguments = ("train", "--config", "tiny", "--name", "run", "--set", "training.images=64")
    done = genctl(*arguments, "--set", "training.threads=1")
    assert "with 1 thread (as set)" in done.err
    done = genctl("train", "--config", "tiny", "--dry-run", "--set", "training.threads=many")
    assert done.code == 2
    assert "training.threads" in done.err
