"""A sweep that lets Optuna choose the points, with or without successive halving.

A trial of Optuna is a point, and its value the mean score of its seeds after the first round. What
later rounds bring is kept in attributes of the study, because a trial that has a value is closed.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from genctl.common.errors import ConfigError
from genctl.sweeps import records
from genctl.sweeps.board import Board, Rounds, Task
from genctl.sweeps.halving import current_round
from genctl.sweeps.plan import PlannedRun, Point, plan_run
from genctl.sweeps.records import Record
from genctl.sweeps.space import Space

PLACE, CLAIM, SURPLUS, RECORDS = "place", "claim", "surplus", "records"
"""Attributes of a trial: the folder of its runs, the name of its lock, whether processes that asked
at the same time made one too many, and what its seeds reached in the first round."""


@dataclass
class Open:
    """A trial that this process works on."""

    number: int
    claim: str
    runs: list[PlannedRun]


class Search:
    """The tasks of a search. Several processes, on one machine or many, may share its study.

    Args:
        board: the runs of this machine, or of all that share their folder.
        study: of Optuna.
        space: what to choose from.
        rounds: when runs pause.
        place: what tells the folder of the runs from others.
    """

    def __init__(
        self, board: Board, study: Study, space: Space, rounds: Rounds, place: str
    ) -> None:
        self.board, self.study, self.space, self.rounds = board, study, space, rounds
        self.place = place
        self.open: list[Open] = []
        self.left: set[int] = set()  # numbers of trials for the next time the sweep is run
        self._planned: dict[tuple[Point, int], PlannedRun] = {}
        self.is_over = False

    def next(self) -> Task | None:
        """A task of a trial that is open, or was left behind, or is new; else of a later round."""
        self.is_over = False
        while True:
            for trial in list(self.open):
                if task := self._task_of(trial):
                    return task
            if not (self._adopt() or self._ask()):
                break
        return self._later_task()

    def settle(self, task: Task, record: Record) -> None:
        """Take note of what became of a task, and tell it to other machines."""
        self.board.settle(task, record)
        for trial in list(self.open):
            self._task_or_end(trial)
        number = self._number_of_round(task)
        if number > 0 and record.status != "unfinished":
            for frozen in self._trials():
                if self._has_run(frozen, task.planned):
                    key = _key(number, frozen.number, record.seed)
                    self.study.set_user_attr(key, json.dumps(record.as_json()))

    def records(self) -> list[Record]:
        """What became of each run: the last that is known of it."""
        found = []
        for trial in self._trials():
            if not trial.params:
                continue
            for seed in self.space.seeds:
                last = None
                for number in range(len(self.rounds)):
                    last = self._record(trial, number, seed) or last
                found += [last] if last else []
        return found

    def count(self) -> tuple[int, int]:
        """How many tasks are settled, of how many."""
        total, settled, points = 0, 0, self.space.trials
        trials = self._trials()
        for number in range(len(self.rounds)):
            total += points * len(self.space.seeds)
            points = max(points // self.rounds.reduction, 1)
            for trial in trials:
                if trial.params:
                    found = [self._record(trial, number, seed) for seed in self.space.seeds]
                    settled += sum(one is not None and one.status != "unfinished" for one in found)
        return settled, max(total, settled)

    # -- the first round --------------------------------------------------------------------------

    def _task_of(self, trial: Open) -> Task | None:
        for planned in trial.runs:
            images = self.rounds.target(planned, 0)
            if self.board.claim(planned, images):
                return Task(planned, images)
        self._task_or_end(trial)
        return None

    def _task_or_end(self, trial: Open) -> None:
        """Tell Optuna what a trial reached, once all its seeds have come to an end."""
        images = [self.rounds.target(planned, 0) for planned in trial.runs]
        found = [
            self.board.known(run, after) for run, after in zip(trial.runs, images, strict=True)
        ]
        settled = [record for record in found if record is not None]
        if len(settled) < len(trial.runs):
            return
        if any(record.status == "unfinished" for record in settled):
            self.left.add(trial.number)
        else:
            self._tell(trial.number, settled)
        self._close(trial)

    def _tell(self, number: int, settled: Sequence[Record]) -> None:
        frozen = next(one for one in self._trials() if one.number == number)
        Trial(self.study, frozen._trial_id).set_user_attr(
            RECORDS, [record.as_json() for record in settled]
        )
        statuses = {record.status for record in settled}
        value = records.mean_score(settled, self.board.scoring.score)
        if value is None and statuses <= {*records.DONE, "diverged"}:  # to be avoided, not ignored
            value = float("inf") if self.board.lower_is_better else float("-inf")
        state = TrialState.FAIL if value is None else TrialState.COMPLETE
        self.study.tell(number, value, state)

    def _close(self, trial: Open) -> None:
        self.open.remove(trial)
        self.board.claims.release(trial.claim)

    def _adopt(self) -> bool:
        """Go on with a trial of this place that a process has left; whether there was one."""
        mine = {trial.number for trial in self.open} | self.left
        for frozen in self._trials():
            if frozen.state != TrialState.RUNNING or frozen.number in mine:
                continue
            claim = str(frozen.user_attrs.get(CLAIM))
            if frozen.user_attrs.get(PLACE) != self.place or not self.board.claims.take(claim):
                continue
            fresh = next(one for one in self._trials() if one.number == frozen.number)
            if fresh.state == TrialState.RUNNING:  # still, now that it is claimed
                return self._begin(fresh)
            self.board.claims.release(claim)
        return False

    def _ask(self) -> bool:
        """Begin a new trial, unless there are enough; whether one was begun."""
        if len(self._trials()) >= self.space.trials:
            return False
        # Claimed before it exists, so that no process takes it for one that was left behind.
        claim = f"trial-{secrets.token_hex(8)}"
        self.board.claims.take(claim)
        self.study.add_trial(_new_trial({PLACE: self.place, CLAIM: claim}))
        begun = next(one for one in self._trials() if one.user_attrs.get(CLAIM) == claim)
        return self._begin(begun)

    def _begin(self, frozen: FrozenTrial) -> bool:
        """Open a claimed trial; whether it was not one too many."""
        claim = str(frozen.user_attrs[CLAIM])
        trial = Trial(self.study, frozen._trial_id)
        before = [one for one in self._trials() if one.number < frozen.number]
        if len(before) >= self.space.trials:
            trial.set_user_attr(SURPLUS, True)
            self.study.tell(frozen.number, state=TrialState.FAIL)
            self.board.claims.release(claim)
            return True
        point = self.space.suggest(trial)
        try:
            runs = [self._plan_point(point, seed) for seed in self.space.seeds]
        except ConfigError as error:  # values that do not fit together
            record = Record(point.config, dict(point.settings), self.space.seeds[0], "", "failed",
                            error=error.problems[0], exit_code=error.exit_code)  # fmt: skip
            self._tell(frozen.number, [record])
            self.board.claims.release(claim)
            return True
        self.open.append(Open(frozen.number, claim, runs))
        return True

    # -- later rounds -----------------------------------------------------------------------------

    def _later_task(self) -> Task | None:
        """A task of a later round, once all trials have a value."""
        trials = self._trials()
        running = [one for one in trials if not one.state.is_finished()]
        if running or len(trials) < self.space.trials:
            self.is_over = all(one.number in self.left for one in running)
            return None
        number, alive = self._round(trials)
        waiting = False
        for seed in self.space.seeds if alive else ():
            for trial in alive:
                if self._record(trial, number, seed) is not None:
                    continue
                planned = self._plan(trial, seed)
                images = self.rounds.target(planned, number)
                mine = trial.user_attrs.get(PLACE) == self.place
                if mine and self.board.claim(planned, images):
                    return Task(planned, images)
                waiting = True
        self.is_over = not waiting
        return None

    def _round(self, trials: Sequence[FrozenTrial]) -> tuple[int, list[FrozenTrial]]:
        by_number = {trial.number: trial for trial in trials[: self.space.trials]}

        def found(trial: int, number: int) -> list[Record | None]:
            return [self._record(by_number[trial], number, seed) for seed in self.space.seeds]

        def is_settled(trial: int, number: int) -> bool:
            return number == 0 or all(
                record is not None and record.status != "unfinished"
                for record in found(trial, number)
            )

        def value(trial: int, number: int) -> float | None:
            known = [record for record in found(trial, number) if record is not None]
            complete = len(known) == len(self.space.seeds)
            return records.mean_score(known, self.board.scoring.score) if complete else None

        number, alive = current_round(
            list(by_number), len(self.rounds), self.rounds.reduction, is_settled, value,
            lower_is_better=self.board.lower_is_better,
        )  # fmt: skip
        return number, [by_number[one] for one in alive]

    # -- what is known ----------------------------------------------------------------------------

    def _trials(self) -> list[FrozenTrial]:
        """The trials in their order, without those that were too many."""
        trials = self.study.get_trials(deepcopy=False)
        return [trial for trial in trials if not trial.user_attrs.get(SURPLUS)]

    def _record(self, trial: FrozenTrial, number: int, seed: int) -> Record | None:
        """What a trial reached in a round: what this process or the study knows."""
        if number == 0:
            told = [Record(**content) for content in trial.user_attrs.get(RECORDS, ())]
            known = next((record for record in told if record.seed == seed), None)
        else:
            text = self.study.user_attrs.get(_key(number, trial.number, seed))
            known = None if text is None else Record(**json.loads(text))
        is_mine = trial.user_attrs.get(PLACE) == self.place
        if known is not None or not is_mine or len(trial.params) < len(self.space.searches):
            return known
        try:
            planned = self._plan(trial, seed)
        except ConfigError:
            return None  # it has been told
        return self.board.known(planned, self.rounds.target(planned, number))

    def _plan(self, trial: FrozenTrial, seed: int) -> PlannedRun:
        return self._plan_point(self.space.point_of(trial), seed)

    def _plan_point(self, point: Point, seed: int) -> PlannedRun:
        if (point, seed) not in self._planned:
            name = self.rounds.name(self.board.scoring)
            self._planned[point, seed] = plan_run(point, seed, self.space.budget, name)
        return self._planned[point, seed]

    def _has_run(self, trial: FrozenTrial, planned: PlannedRun) -> bool:
        complete = len(trial.params) == len(self.space.searches)
        return complete and self.space.point_of(trial) == planned.point

    def _number_of_round(self, task: Task) -> int:
        images = [self.rounds.target(task.planned, number) for number in range(len(self.rounds))]
        return images.index(task.images)


def _key(number: int, trial: int, seed: int) -> str:
    return f"round {number} trial {trial} seed {seed}"


def _new_trial(attributes: dict[str, Any]) -> FrozenTrial:
    from optuna.trial import create_trial

    return create_trial(state=TrialState.RUNNING, user_attrs=attributes)
