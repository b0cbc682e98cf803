"""Time alternatives in turn, so that a machine that slows down slows all of them down."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

import torch

from genctl.common.devices import synchronize
from genctl.common.reporting import OnProgress

Work = Callable[[], int]
"""Does a little work, and returns how many images it processed."""


@dataclass(frozen=True)
class Comparison:
    """Images per second of each alternative in each round."""

    rounds: list[dict[str, float]]

    def rate(self, name: str) -> float:
        """The median rate of an alternative."""
        return median(rates[name] for rates in self.rounds)

    def speedup(self, name: str, other: str) -> float:
        """How many times as fast as ``other`` it is: the median of the ratios in each round."""
        return median(rates[name] / rates[other] for rates in self.rounds)


def compare(
    alternatives: Mapping[str, Work],
    device: torch.device,
    seconds: float,
    rounds: int = 5,
    cycle: int = 1,
    on_progress: OnProgress = lambda share: None,
) -> Comparison:
    """Measure every alternative once per round, every other round in the opposite order.

    Args:
        alternatives: what to measure, by name.
        device: what they compute on; the clock is read only when it has finished its work.
        seconds: how long the comparison takes, about, without the warm-up.
        rounds: measurements of each alternative.
        cycle: how many calls make up one period of the work, such as the steps from one lazy
            penalty to the next; only whole periods are timed.
        on_progress: receives the share of the comparison that is done.
    """
    seconds_each = seconds / rounds / len(alternatives)
    calls = {name: _calls(work, device, seconds_each, cycle) for name, work in alternatives.items()}
    measured = []
    for number in range(rounds):
        order = list(alternatives) if number % 2 == 0 else list(alternatives)[::-1]
        measured.append({name: _rate(alternatives[name], calls[name], device) for name in order})
        on_progress((number + 1) / rounds)
    return Comparison(measured)


def _calls(work: Work, device: torch.device, seconds: float, cycle: int) -> int:
    """How many calls of ``work`` take about ``seconds``."""
    _time(work, cycle, device)  # not counted: libraries and caches warm up
    count = cycle
    while (elapsed := _time(work, count, device)[1]) < seconds / 4:  # too short to extrapolate
        count *= 2
    return max(round(seconds / elapsed * count / cycle), 1) * cycle


def _rate(work: Work, count: int, device: torch.device) -> float:
    images, elapsed = _time(work, count, device)
    return images / elapsed


def _time(work: Work, count: int, device: torch.device) -> tuple[int, float]:
    """The images of ``count`` calls, and the seconds they took."""
    synchronize(device)
    started = time.perf_counter()
    images = sum(work() for _ in range(count))
    synchronize(device)
    return images, time.perf_counter() - started
