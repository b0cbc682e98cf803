"""What a sweep trains: points of a grid, their seeds and budgets, and the names of their runs."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from genctl.common.errors import ConfigError, UsageError
from genctl.config import config as configs
from genctl.sweeps.axes import Axis

SEED = "training.seed"


@dataclass(frozen=True)
class Point:
    """A config and the settings to try with it, which all its seeds share."""

    config: str
    settings: tuple[tuple[str, str], ...]  # key and value, as YAML writes it

    def __str__(self) -> str:
        changes = " ".join(f"{key}={short_value(value)}" for key, value in self.settings)
        return changes or Path(self.config).name.removesuffix(".yaml")


@dataclass(frozen=True)
class Budget:
    """How long each run is trained: so many images or seconds; by default as its config says."""

    images: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class PlannedRun:
    """One run: a point and a training seed."""

    point: Point
    seed: int
    name: str
    images: int  # that it sees at most
    max_time: float | None  # seconds

    def words(self) -> list[str]:
        """The options of ``genctl train`` that train it to its end."""
        changes = [*self.point.settings, (SEED, self.seed), ("training.images", self.images)]
        sets = [word for key, value in changes for word in ("--set", f"{key}={value}")]
        time = [] if self.max_time is None else ["--max-time", f"{self.max_time:g}"]
        return ["--config", self.point.config, "--name", self.name, *sets, *time]


def grid(sources: Sequence[str], axes: Sequence[Axis]) -> list[Point]:
    """Every config with every combination of values."""
    keys = [axis.key for axis in axes]
    combinations = list(itertools.product(*(axis.values for axis in axes)))
    return [
        Point(source, tuple(zip(keys, values, strict=True)))
        for source, values in itertools.product(sources, combinations)
    ]


def seeds_of(axes: list[Axis], count: int | None, source: str) -> tuple[list[Axis], list[int]]:
    """The axes without the training seed, and the seeds: those of its axis, or so many.

    Raises:
        UsageError: both are given, or a seed is not a number.
    """
    named = next((axis for axis in axes if axis.key == SEED), None)
    if named is None:
        first = configs.load(source).training.seed
        return axes, list(range(first, first + (count or 1)))
    if count is not None:
        raise UsageError(f"--set {SEED}: the seeds are given twice; leave out --seeds {count}")
    if not all(value.isdecimal() for value in named.values):
        raise UsageError(f"--set {SEED}={','.join(named.values)}: seeds are integers from 0 on")
    return [axis for axis in axes if axis is not named], list(map(int, named.values))


def plan_runs(
    points: Iterable[Point], seeds: Sequence[int], budget: Budget, rounds: str = ""
) -> dict[tuple[Point, int], PlannedRun]:
    """The run of each point and seed; the first seed of all points comes before the second of any.

    Args:
        points: what to try.
        seeds: training seeds.
        budget: of each run.
        rounds: what names a schedule of pauses: runs of others are other runs.

    Raises:
        ConfigError: with the problems of all points.
        UsageError: two points would train the same run.
    """
    planned: dict[tuple[Point, int], PlannedRun] = {}
    problems: dict[str, None] = {}
    names: dict[str, Point] = {}
    for seed, point in itertools.product(seeds, list(points)):
        try:
            run = plan_run(point, seed, budget, rounds)
        except ConfigError as error:
            problems |= dict.fromkeys(error.problems)
            continue
        planned[point, seed] = run
        if run.name in names:
            raise UsageError(
                f"--set: {names[run.name]} and {point} train the same run; leave out one of them"
            )
        names[run.name] = point
    if problems:
        raise ConfigError(list(problems))
    return planned


def plan_run(point: Point, seed: int, budget: Budget, rounds: str = "") -> PlannedRun:
    """The run of a point and a seed.

    Its name has a hash over everything that changes its result. Here the budget is a part of that:
    a run whose learning rates have reached the end of their schedule must not be trained further.

    Raises:
        ConfigError: the settings are wrong.
    """
    changes = [f"{key}={value}" for key, value in point.settings]
    if budget.images is not None:
        changes.append(f"training.images={budget.images}")
    config = configs.load(point.config, [*changes, f"{SEED}={seed}"])
    images = config.training.images
    key = json.dumps([configs.digest(config), images, budget.seconds, rounds])
    short = hashlib.sha256(key.encode()).hexdigest()[:8]
    label = f"{images}" if budget.seconds is None else f"{budget.seconds:g}s"
    stem = Path(point.config).name.removesuffix(".yaml")
    return PlannedRun(point, seed, f"{stem}-{label}-{short}", images, budget.seconds)


def short_value(text: str) -> str:
    """A value as it is shown: of the many digits that a search chooses, those that matter."""
    try:
        return text if len(text) < 10 else f"{float(text):.4g}"
    except ValueError:
        return text
