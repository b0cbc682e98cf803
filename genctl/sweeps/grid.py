"""A sweep over the points of a grid, with or without successive halving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from genctl.sweeps.board import Board, Rounds, Task
from genctl.sweeps.halving import current_round
from genctl.sweeps.plan import PlannedRun, Point
from genctl.sweeps.records import Record


class Grid:
    """The tasks of a grid; all that it knows is in the run directories.

    Args:
        board: the runs.
        planned: the run of each point and seed.
        rounds: when runs pause.
    """

    def __init__(
        self, board: Board, planned: Mapping[tuple[Point, int], PlannedRun], rounds: Rounds
    ) -> None:
        self.board, self.planned, self.rounds = board, planned, rounds
        self.points = list(dict.fromkeys(point for point, _ in planned))
        self.seeds = list(dict.fromkeys(seed for _, seed in planned))
        self.is_over = False

    def next(self) -> Task | None:
        """A task of the round that is under way; the first seed of all points comes first."""
        number, alive = self._round()
        waiting = False
        for seed in self.seeds if alive else ():
            for point in alive:
                planned = self.planned[point, seed]
                images = self.rounds.target(planned, number)
                if self.board.claim(planned, images):
                    return Task(planned, images)
                waiting = waiting or self.board.known(planned, images) is None
        self.is_over = not waiting
        return None

    def settle(self, task: Task, record: Record) -> None:
        """Take note of what became of a task."""
        self.board.settle(task, record)

    def records(self) -> list[Record]:
        """What became of each run: the last that is known of it."""
        found = []
        for point in self.points:
            for seed in self.seeds:
                found += self._records_of(self.planned[point, seed])[-1:]
        return found

    def count(self) -> tuple[int, int]:
        """How many tasks are settled, of how many."""
        total, settled, points = 0, 0, len(self.points)
        for _ in range(len(self.rounds)):
            total += points * len(self.seeds)
            points = max(points // self.rounds.reduction, 1)
        for planned in self.planned.values():
            settled += sum(one.status != "unfinished" for one in self._records_of(planned))
        return settled, max(total, settled)  # more, where a run failed once and went on later

    def _records_of(self, planned: PlannedRun) -> list[Record]:
        """The records of the rounds that a run has been in."""
        found = []
        for number in range(len(self.rounds)):
            record = self.board.known(planned, self.rounds.target(planned, number))
            if record is None:
                break
            found.append(record)
            if record.status == "diverged":
                break
        return found

    def _round(self) -> tuple[int, list[Point]]:
        return current_round(
            self.points,
            len(self.rounds),
            self.rounds.reduction,
            lambda point, number: all(map(self.board.is_settled, *self._runs(point, number))),
            lambda point, number: self.board.value(*self._runs(point, number)),
            lower_is_better=self.board.lower_is_better,
        )

    def _runs(self, point: Point, number: int) -> tuple[Sequence[PlannedRun], Sequence[int]]:
        """The runs of a point, and the images after which each ends a round."""
        runs = [self.planned[point, seed] for seed in self.seeds]
        return runs, [self.rounds.target(run, number) for run in runs]
