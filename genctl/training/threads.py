"""How many threads compute a step on a CPU.

More threads are not always faster: they meet after every operation, some hundred times in a step,
so small networks gain little, and one thread that waits for a core which another process uses holds
up all others. ``training.threads: auto`` therefore measures steps of the run itself.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

import torch
from torch.nn.modules.module import register_module_forward_pre_hook

from genctl.common.cpu_load import is_overloaded
from genctl.common.devices import device_name, restored_threads
from genctl.common.reporting import Reporter
from genctl.training.step import Position, Step

MIN_GAIN = 1.1
"""More threads are used if they are at least this many times as fast."""
ROUNDS = 3
SECONDS = 0.1  # that one number of threads is measured for in a round, at least
MAX_SECONDS = 2.0  # for all rounds of one comparison, about
MAX_SLOWDOWN = 3.0
"""A step that takes this many times as long as with fewer threads is given up: where other
processes use the cores, it may take a hundred times as long."""
VARIANTS_AMONG = 16  # steps, of which the commonest variant is measured

VARIABLE = "OMP_NUM_THREADS"

MAX_DROP = 0.5
"""A rate under this share of the fastest one before it is worth a word, if the machine is busy."""


@dataclass(frozen=True)
class ThreadChoice:
    """A number of threads, and where it comes from."""

    number: int
    reason: str
    rates: dict[int, float] = field(default_factory=dict)  # threads -> images/s, if measured

    def __str__(self) -> str:
        plural = "" if self.number == 1 else "s"
        return f"{self.number} thread{plural} ({self.reason})"


def known_threads(
    setting: int | Literal["auto"],
    device: torch.device,
    processes: int = 1,
    before: Mapping[str, Any] | None = None,
) -> ThreadChoice | None:
    """The number of threads for a run, unless it is to be measured.

    Args:
        setting: ``training.threads``.
        device: what the run computes on.
        processes: how many train together.
        before: environment.json of the part of the run that is resumed, if there is one.
    """
    available = torch.get_num_threads()
    if setting != "auto":
        return ThreadChoice(setting, "as set")
    if os.environ.get(VARIABLE):
        return ThreadChoice(available, f"{VARIABLE} is set")
    if device.type != "cpu" or processes > 1:
        return ThreadChoice(available, "all cores")
    recorded = _recorded(before or {}, device)
    if 1 <= recorded <= available:
        return ThreadChoice(recorded, "as before")
    return ThreadChoice(1, "one core") if available == 1 else None


def measure_threads(step: Step, position: Position) -> ThreadChoice:
    """The fastest number of threads, up to all cores, for steps like those from ``position``.

    Takes a second or two; the step's state is the same afterwards.
    """
    typical = _typical(step, position)
    variant, inputs = step.variant(typical), step.inputs(typical)

    def seconds_per_step(threads: int, limit: float) -> float:
        torch.set_num_threads(threads)
        started, count = time.perf_counter(), 0
        while count == 0 or time.perf_counter() - started < SECONDS:
            try:
                with _time_limit(limit):
                    step.compute(variant, inputs)
            except _TooSlow:
                return math.inf
            count += 1
        return (time.perf_counter() - started) / count

    with step.state.undone(), restored_threads():
        best, seconds = fastest(seconds_per_step, torch.get_num_threads())
    rates = {n: round(step.images / each, 1) for n, each in sorted(seconds.items())}
    found = ", ".join(
        f"{n}: {rate:,.0f}" if rate else f"{n}: far fewer" for n, rate in rates.items()
    )
    return ThreadChoice(best, f"images/s by threads: {found}", rates)


def fastest(
    seconds_per_step: Callable[[int, float], float], available: int
) -> tuple[int, dict[int, float]]:
    """Compare 1, 2, 4, ... threads up to ``available``, while that makes steps faster.

    Two numbers at a time are measured in turn, so that a machine that slows down slows both. The
    first round is not counted, unless steps take very long. Within ``MIN_GAIN``, fewer are better:
    they suffer less from other processes that may come.

    Args:
        seconds_per_step: measures a number of threads for a while; infinity, if a step takes longer
            than the given seconds.
        available: how many threads have a core.

    Returns:
        The best number, and the seconds of a step for each number that was measured.
    """
    best, found = 1, dict[int, float]()
    for more in _candidates(available):
        fewer, rounds = best, list[tuple[float, float]]()
        started = time.perf_counter()
        while len(rounds) <= ROUNDS and (not rounds or time.perf_counter() - started < MAX_SECONDS):
            seconds = seconds_per_step(fewer, math.inf)
            rounds.append((seconds, seconds_per_step(more, MAX_SLOWDOWN * seconds)))
            if rounds[-1][1] == math.inf:
                break
        counted = rounds[1:] or rounds
        found[fewer], found[more] = (median(each) for each in zip(*counted, strict=True))
        if median(one / other for one, other in counted) < MIN_GAIN:
            break
        best = more
    return best, found


class SlowdownNotice:
    """Says once in a run that other processes have come to use the cores, and what helps."""

    def __init__(self, device: torch.device, reporter: Reporter) -> None:
        self.device, self.reporter = device, reporter
        self.was_given = False

    def check(self, rates: Sequence[float]) -> None:
        """Compare the last of ``rates`` (images/s) with those before it."""
        if self.was_given or len(rates) < 2 or rates[-1] >= MAX_DROP * max(rates[:-1]):
            return
        if is_overloaded(self.device):
            self.was_given = True
            self.reporter.info(
                f"training slowed down from {max(rates[:-1]):,.0f} to {rates[-1]:,.0f} images/s: "
                f"{torch.get_num_threads()} threads wait for cores that other processes use; "
                "stopped, and started again with --set training.threads=1, it may be many times "
                "faster, but end with other bits"
            )


def _candidates(available: int) -> list[int]:
    """2, 4, 8, ... and ``available``."""
    powers = [1 << exponent for exponent in range(1, available.bit_length())]
    return [power for power in powers if power < available] + [available]


def _typical(step: Step, position: Position) -> Position:
    """The first of the next positions whose step is of the commonest variant."""
    following = step.positions(position, VARIANTS_AMONG)
    ((variant, _),) = Counter(map(step.variant, following)).most_common(1)
    return next(each for each in following if step.variant(each) == variant)


def _recorded(before: Mapping[str, Any], device: torch.device) -> int:
    """The number of threads that the run had on such a device; 0 if it had another device."""
    here = {"device": device.type, "device_name": device_name(device)}
    same = all(before.get(key) == value for key, value in here.items())
    threads = before.get("threads")
    return threads if same and isinstance(threads, int) else 0


class _TooSlow(Exception):
    """A step was given up."""


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Give up a step that takes longer, at the next layer that it computes.

    Raises:
        _TooSlow: it was given up.
    """
    end = time.perf_counter() + seconds

    def check(*_: object) -> None:
        if time.perf_counter() > end:
            raise _TooSlow

    hook = register_module_forward_pre_hook(check)
    try:
        yield
    finally:
        hook.remove()
