"""What is known about the runs of a sweep, and which of them this process may work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from genctl.reports.formats import LOWER_IS_BETTER
from genctl.runs.run import Run
from genctl.sweeps import records
from genctl.sweeps.claims import Claims
from genctl.sweeps.plan import PlannedRun
from genctl.sweeps.records import Record, Scoring


@dataclass(frozen=True)
class Rounds:
    """After how many images runs pause, and which of them go on; one round, if they do not."""

    images: tuple[int, ...] = ()  # at the end of each round; empty where runs do not pause
    reduction: int = 2

    def __len__(self) -> int:
        return len(self.images) or 1

    def target(self, planned: PlannedRun, number: int) -> int:
        """The images after which a run ends a round."""
        return self.images[number] if number < len(self) - 1 else planned.images

    def name(self, scoring: Scoring) -> str:
        """What the names of runs depend on: scores at a pause cannot be measured later."""
        return f"{self.images} {scoring.n} {scoring.seeds}" if len(self) > 1 else ""


@dataclass(frozen=True)
class Task:
    """Train a run until it has seen some images, and score it."""

    planned: PlannedRun
    images: int

    @property
    def pauses(self) -> bool:
        """Whether the run is not at its end then."""
        return self.images < self.planned.images


class Source(Protocol):
    """Knows what is to be done next in a sweep."""

    is_over: bool
    """Whether the last call of ``next`` found nothing that is still to be done or waited for."""

    def next(self) -> Task | None:
        """A task that this process has claimed; None if there is none now."""

    def settle(self, task: Task, record: Record) -> None:
        """Take note of what became of a task, and leave it to others."""

    def records(self) -> list[Record]:
        """What became of each run so far."""

    def count(self) -> tuple[int, int]:
        """How many tasks are settled, of how many at most."""


class Board:
    """The runs in one folder, as the processes of a sweep share it.

    Args:
        runs: the folder.
        scoring: how they are scored.
        claims: what this process works on.
    """

    def __init__(self, runs: Path, scoring: Scoring, claims: Claims) -> None:
        self.runs, self.scoring, self.claims = runs, scoring, claims
        self._known: dict[tuple[str, int], Record] = {}  # failures too, which no file keeps

    @property
    def lower_is_better(self) -> bool:
        """Whether small scores are good."""
        return self.scoring.score in LOWER_IS_BETTER

    def run(self, planned: PlannedRun) -> Run:
        """The run directory."""
        return Run(self.runs / planned.name)

    def known(self, planned: PlannedRun, images: int) -> Record | None:
        """What became of a run after some images, if it came so far or failed."""
        key = planned.name, images
        if key not in self._known:
            record = records.read(planned, self.run(planned), images, self.scoring)
            if record is None:
                return None
            self._known[key] = record
        return self._known[key]

    def settle(self, task: Task, record: Record) -> None:
        """Take note of what became of a task, and leave its run to others."""
        self._known[task.planned.name, task.images] = record
        self.claims.release(task.planned.name)

    def is_settled(self, planned: PlannedRun, images: int) -> bool:
        """Whether nothing is left to do, now or when the sweep is run again."""
        record = self.known(planned, images)
        return record is not None and record.status != "unfinished"

    def claim(self, planned: PlannedRun, images: int) -> bool:
        """Claim a run with something left to do, unless a process works on it."""
        if self.known(planned, images) is not None or not self.claims.take(planned.name):
            return False
        # Another process may have settled it a moment ago, or have left its command behind.
        if self.known(planned, images) is None and not self.run(planned).is_locked:
            return True
        self.claims.release(planned.name)
        return False

    def value(self, runs: Sequence[PlannedRun], images: Sequence[int]) -> float | None:
        """The mean score of the seeds of a point after some images; None if one has failed."""
        found = [self.known(run, after) for run, after in zip(runs, images, strict=True)]
        settled = [record for record in found if record is not None]
        complete = len(settled) == len(runs)
        return records.mean_score(settled, self.scoring.score) if complete else None
