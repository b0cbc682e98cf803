"""Runs the tasks of a sweep, several at a time, each in processes of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from genctl.common.errors import UsageError
from genctl.common.reporting import Reporter
from genctl.common.signals import Stopped, signal_flags
from genctl.runs.run import Run
from genctl.sweeps import records
from genctl.sweeps.board import Board, Source, Task
from genctl.sweeps.processes import Command, Outcome
from genctl.sweeps.records import Record

DIVERGED = 3
RETRY = {69, 74, 75, 129, 130, 137, 143}
"""Exit codes after which the same command may succeed."""
MAX_TRIES = 3
ALIKE = 3
"""If so many tasks fail with the same exit code, and none has succeeded, all others would fail."""
POLL_SECONDS = 0.05
LOOK_SECONDS = 2.0  # between two looks at what other processes have settled
WAIT_SECONDS = 1.0  # for other processes of the sweep
TASK = "sweeping"


@dataclass
class Job:
    """A task at work."""

    task: Task
    run: Run
    stage: str  # "train" or "evaluate"
    command: Command
    tries: int = 1


class Runner:
    """Trains and scores what a source asks for.

    Args:
        source: what is to be done.
        board: what is known about the runs.
        jobs: how many tasks are worked on at a time.
        device: that each uses.
        environment: variables of the commands that differ from those of this process.
        reporter: told about each result.
    """

    def __init__(
        self,
        source: Source,
        board: Board,
        jobs: int,
        device: str,
        environment: Mapping[str, str],
        reporter: Reporter,
    ) -> None:
        self.source, self.board, self.jobs, self.device = source, board, jobs, device
        self.environment, self.reporter = environment, reporter
        self.active: list[Job] = []
        self.succeeded = 0
        self.failures: list[int] = []  # exit codes
        self._next_look = 0.0
        self._told_to_wait = False

    def run(self) -> None:
        """Work until nothing is left to do.

        Raises:
            Stopped: a signal asked for it; the commands have ended with checkpoints.
            GenctlError: the work cannot go on.
        """
        with signal_flags() as signals, signals.deferred():
            try:
                while signals.stop is None:
                    self._collect()
                    self._start_some()
                    if not self.active and (self.source.is_over or self._is_hopeless()):
                        return
                    self._wait()
                raise Stopped(signals.stop)
            finally:
                self._stop()

    def _wait(self) -> None:
        if not self.active and not self._told_to_wait:
            self.reporter.info("waiting for runs that other processes are working on")
        self._told_to_wait = not self.active
        time.sleep(POLL_SECONDS if self.active else WAIT_SECONDS)

    def _start_some(self) -> None:
        while len(self.active) < self.jobs and not self._is_hopeless():
            task = self.source.next()
            if task is None:
                return
            run = self.board.run(task.planned)
            stage = "evaluate" if records.is_trained(run, task.images) else "train"
            self.active.append(Job(task, run, stage, self._command(stage, task, run)))

    def _command(self, stage: str, task: Task, run: Run) -> Command:
        if stage == "train":
            pause = ["--pause-at", str(task.images)] if task.pauses else []
            words = [*task.planned.words(), "--runs", str(self.board.runs), *pause]
        else:
            scoring = self.board.scoring
            samples = [] if scoring.n is None else ["--n", str(scoring.n)]
            words = ["--run", str(run), "--seeds", str(scoring.seeds), *samples]
        return Command([stage, *words, "--device", self.device], self.environment)

    def _collect(self) -> None:
        for job in list(self.active):
            outcome = job.command.poll()
            if outcome is not None:
                job.command.close()
                self._on_end(job, outcome)
        if self.active and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_SECONDS
            settled, total = self.source.count()
            self.reporter.progress(TASK, settled / total)

    def _on_end(self, job: Job, outcome: Outcome) -> None:
        if job.stage == "train":  # those of an evaluation are about bad points, and are in its file
            for text in outcome.warnings:
                self.reporter.warn(f"{job.run}: {text}")
        planned, code = job.task.planned, outcome.exit_code
        if code == 0 and job.stage == "train":
            job.stage, job.tries = "evaluate", 1
            job.command = self._command(job.stage, job.task, job.run)
        elif code == 0:
            scoring, images = self.board.scoring, job.task.images
            record = records.write(planned, job.run, images, scoring, outcome.json)
            self.succeeded += 1
            self._settle(job, record)
            self._require_score(record)
        elif code in RETRY and job.tries < MAX_TRIES:
            job.tries += 1
            self.reporter.info(f"{job.run}: {outcome.error}; trying again")
            job.command = self._command(job.stage, job.task, job.run)
        else:
            self.failures.append(code)
            self._settle(job, self._failure(job, outcome))

    def _failure(self, job: Job, outcome: Outcome) -> Record:
        code, planned = outcome.exit_code, job.task.planned
        if code == DIVERGED and (known := self.board.known(planned, job.task.images)):
            return known  # as its run directory tells it, and will next time
        status = "diverged" if code == DIVERGED else "unfinished" if code in RETRY else "failed"
        return records.failure(planned, job.run, status, outcome.error, code)

    def _settle(self, job: Job, record: Record) -> None:
        self.active.remove(job)
        self.source.settle(job.task, record)
        settled, total = self.source.count()
        what = f"{job.task.planned.point} seed {record.seed}"
        text = f"{settled} of {total}: {what}: {_reached(record, self.board.scoring.score)}"
        if record.status in records.DONE:
            self.reporter.info(text)
        else:
            self.reporter.warn(text)

    def _require_score(self, record: Record) -> None:
        score = self.board.scoring.score
        if score not in record.scores:
            names = ", ".join(record.scores)
            raise UsageError(f"--score {score}: runs have no such score; use one of {names}")

    def _is_hopeless(self) -> bool:
        alike = len(self.failures) >= ALIKE and len(set(self.failures)) == 1
        return alike and not self.succeeded and self.failures[0] != DIVERGED

    def _stop(self) -> None:
        """End all commands; those that train write a checkpoint."""
        for job in self.active:
            job.command.terminate()
        for job in self.active:
            job.command.close()
        self.board.claims.release_all()


def _reached(record: Record, score: str) -> str:
    if record.error is not None:
        return f"{record.status}: {record.error}"
    shown = dict.fromkeys([score, "fid", "agreement"])
    found = [f"{name} {record.scores[name]:.4g}" for name in shown if name in record.scores]
    return f"{record.status} after {record.images:,} images: {', '.join(found)}"
