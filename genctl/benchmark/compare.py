"""Rivals that take turns, so that a machine whose speed drifts drifts for all of them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

import torch

Work = Callable[[], int]
"""Does a little work and says how many images that was."""


@dataclass(frozen=True)
class Rates:
    """Images a second of each rival in each round."""

    rounds: list[dict[str, float]]

    def rate(self, name: str) -> float:
        """The median rate of a rival."""
        return median(round_[name] for round_ in self.rounds)

    def ratio(self, name: str, other: str) -> float:
        """How many times as fast as ``other``: the median over the rounds, in which they meet."""
        return median(round_[name] / round_[other] for round_ in self.rounds)


def race(
    rivals: Mapping[str, Work],
    device: torch.device,
    seconds: float,
    rounds: int = 5,
    cycle: int = 1,
    told: Callable[[float], None] = lambda share: None,
) -> Rates:
    """Let rivals run laps in turn, every other round in the opposite order.

    Args:
        rivals: what to measure, by name.
        device: what they compute on; its queue is empty whenever the clock is read.
        seconds: about how long it takes altogether, warm-up not counted.
        rounds: laps of each rival.
        cycle: after how much work the work repeats itself; a lap is a multiple of it.
        told: the share of the race that is over, 0 to 1.
    """
    lap_seconds = seconds / rounds / len(rivals)
    laps = {name: _lap(work, device, lap_seconds, cycle) for name, work in rivals.items()}
    found = []
    for number in range(rounds):
        order = list(rivals) if number % 2 == 0 else list(rivals)[::-1]
        found.append({name: _rate(rivals[name], laps[name], device) for name in order})
        told((number + 1) / rounds)
    return Rates(found)


def _lap(work: Work, device: torch.device, seconds: float, cycle: int) -> int:
    """How often ``work`` is to be done to take about ``seconds``."""
    _time(work, cycle, device)  # not counted: compilers and caches settle in it
    count = cycle
    while (took := _time(work, count, device)[1]) < seconds / 4:  # too short to say much
        count *= 2
    return max(round(seconds / took * count / cycle), 1) * cycle


def _rate(work: Work, count: int, device: torch.device) -> float:
    images, took = _time(work, count, device)
    return images / took


def _time(work: Work, count: int, device: torch.device) -> tuple[int, float]:
    """The images of ``count`` calls, and the seconds they took."""
    synchronize(device)
    started = time.perf_counter()
    images = sum(work() for _ in range(count))
    synchronize(device)
    return images, time.perf_counter() - started


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
