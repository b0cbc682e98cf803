"""One part of a run, from the command to its result: begin, or go on, or answer "complete"."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from genctl.common import files
from genctl.common.devices import choose_device, choose_precision, memory_errors, quick_denormals
from genctl.common.errors import (
    CannotCreate,
    ConfigError,
    Diverged,
    GenctlError,
    Interrupted,
    WriteFailed,
)
from genctl.common.signals import Requests, Stopped, listen
from genctl.config import config as configs
from genctl.config.config import Config
from genctl.config.loading import load_data
from genctl.data.base import Images
from genctl.model import Model, placed
from genctl.runs import environment
from genctl.runs.admission import answered, require_own, tell_other_budget
from genctl.runs.run import Run
from genctl.runs.tensorboard import TensorBoard
from genctl.training.checkpoint import State, resume
from genctl.training.follower import begin, follow, tell_the_end
from genctl.training.process_group import Peers, joined, own_device
from genctl.training.services import Budget, Listener, Scorer, Surroundings
from genctl.training.trainer import Trainer

Result = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """What ``genctl train`` was asked to do."""

    config: Config
    path: Path  # the run directory
    device: str = "auto"
    max_time: float | None = None  # seconds
    fresh: bool = False
    started: float = field(default_factory=time.monotonic)  # when the process began


def train(request: Request, listener: Listener) -> Result:
    """Train until the budget is spent, from the beginning or from where the run stands.

    Returns:
        The JSON of the contract: run, status, images, seconds, images_per_second, model, samples,
        metrics.

    Raises:
        GenctlError: with the exit code that scripts rely on.
    """
    with listen() as requests, joined(request.device) as peers:
        if not peers.leads:
            with requests.patiently():  # whoever leads hears signals, and says what to do
                raise SystemExit(follow(request.config, request.device, peers, listener))
        with tell_the_end(peers):
            return _lead(request, requests, peers, listener)


def _lead(request: Request, requests: Requests, peers: Peers, listener: Listener) -> Result:
    """Train as the process that reads and writes the run directory."""
    run = Run(request.path)
    if run.exists:
        require_own(run)
    if request.fresh and run.path.exists():
        if not run.exists:
            raise CannotCreate(f"cannot use {run}: it is no run of genctl; choose another name")
        listener.say(f"renamed the old run to {run.move_aside()}")
    if not run.exists:
        choose_device(request.device)  # before anything is created
    run.create()
    ask = partial(answered, run, request.config, request.max_time, listener)
    if done := ask():  # before the lock, which leaves its traces
        return done
    with run.locked():
        if done := ask():  # another process may have finished meanwhile
            return done
        if run.exists:
            tell_other_budget(run, request.config, listener)
        files.write_whole(run.config, configs.dump(request.config).encode())
        return _Part(request, run, requests, peers, listener).play()


class _Part:
    """What one process adds to a run."""

    def __init__(
        self, request: Request, run: Run, requests: Requests, peers: Peers, listener: Listener
    ) -> None:
        self.request, self.run, self.peers = request, run, peers
        self.requests, self.listener = requests, listener
        self.seconds_before = 0.0
        self.trainer: Trainer | None = None

    def elapsed(self) -> float:
        """Seconds that all parts of the run took, set-up included."""
        return self.seconds_before + time.monotonic() - self.request.started

    def play(self) -> Result:
        """Train, and leave a result behind however it ends."""
        self.run.result.unlink(missing_ok=True)  # from now on the run is not complete
        try:
            with memory_errors(), quick_denormals():
                ended_by = self._train()
        except Stopped as stopped:  # in what comes before the first step, or after the last one
            error = stopped.told(self._kept())
            self._leave_result(error)
            raise error from None
        except GenctlError as error:
            self._leave_result(error)
            raise
        result = self._result("complete", ended_by)
        with _lasting():
            self.run.write_result(result)
        return result

    def _leave_result(self, error: GenctlError) -> None:
        status = {Diverged: "diverged", Interrupted: "interrupted"}.get(type(error), "failed")
        result = self._result(status, str(error))
        error.result = result  # type: ignore[attr-defined]
        try:
            self.run.write_result(result)
        except (WriteFailed, CannotCreate) as failure:  # the first failure is the one to tell
            self.listener.warn(str(failure))

    def _kept(self) -> str:
        images = self.run.saved_images
        return f"checkpoint at {images:,} images" if images else "nothing was trained yet"

    def _train(self) -> str:
        config, run = self.request.config, self.run
        device = own_device(self.request.device)
        data, held_out = load_data(config)
        run.remove_leftovers()
        state = State(config, placed(Model(config, len(data.classes)), device))
        facts = resume(state, run, self.listener.warn)
        self.seconds_before = facts.get("seconds", 0.0)
        precision = facts.get("precision") or choose_precision(config.training.precision, device)
        self._note_environment(device, precision, data, resumed=bool(facts))
        run.cut_metrics(state.images)
        begin(state, precision, self.peers)
        with TensorBoard(run.tensorboard, state.images) as curves:
            scorer = self._scorer(data, held_out, device)
            around = Surroundings(
                precision, self.requests, curves, scorer, self.listener, self.peers
            )
            trainer = Trainer(config, state, data.to(device), held_out, run, around)
            self.trainer = trainer
            self.listener.say(
                f"{'resuming' if facts else 'training'} {run} on {device} in {precision}"
                + (f" with {self.peers.count} processes" if self.peers.count > 1 else "")
                + (f" from {state.images:,} images" if facts else "")
            )
            budget = self._budget(trainer)
            with self.requests.patiently(), _lasting():
                return trainer.train(budget, self.elapsed)

    def _scorer(self, data: Images, held_out: Images, device: torch.device) -> Scorer | None:
        """Who scores the run, if its config asks for scores and there is a judge in time."""
        settings = self.request.config.evaluation
        if not settings.every:
            return None
        from genctl.evaluation.cache import has_judge, judge_of
        from genctl.evaluation.scorer import Scorer as JudgeScorer

        if self.request.max_time is not None and not has_judge(data):
            self.listener.say(
                "no scores: there is no judge of these images yet, and training one would eat up "
                "--max-time; `genctl evaluate` trains one, once for all"
            )
            return None
        judge = judge_of(data, held_out, device, self.listener)
        return JudgeScorer(judge, data, held_out, settings.samples)

    def _budget(self, trainer: Trainer) -> Budget:
        images, seconds = self.request.config.training.images, self.request.max_time
        if seconds is None:
            return Budget(images)
        # What comes after the last step is tried out once, to know how long it takes.
        return Budget(images, seconds, reserve=1.0 + 2 * trainer.rehearse())

    def _note_environment(
        self, device: torch.device, precision: str, data: Images, resumed: bool
    ) -> None:
        """Write environment.json; say so where a resumed run cannot be bit for bit the same."""
        now = environment.describe(device, precision, data, self.peers.count)
        before = self.run.read_environment() if resumed else {}
        if before:
            if before.get("data") != now["data"]:
                kind = self.request.config.data.kind
                raise ConfigError(
                    [f"{self.run}: the images of {kind} are not those that it began with; "
                     "use --fresh"]
                )  # fmt: skip
            changed = environment.changes(before, now)
            now["bit_exact"] = before.get("bit_exact", True) and not changed
            if changed:
                self.listener.warn(
                    f"resumed in another environment ({'; '.join(changed)}): the result will not "
                    "be bit for bit that of an uninterrupted run"
                )
        if environment.is_crowded(device):
            self.listener.say(
                "this machine is busy: with OMP_NUM_THREADS=1 training may be many times faster"
            )
        self.run.write_environment(now)

    def _result(self, status: str, stopped_by: str) -> Result:
        trainer, run = self.trainer, self.run
        images = trainer.state.images if trainer else run.saved_images
        samples = run.sample_path(images)
        return {
            "run": str(run),
            "status": status,
            "images": images,
            "seconds": round(self.elapsed(), 2),
            "images_per_second": round(trainer.images_per_second, 1) if trainer else 0.0,
            "model": str(run.model) if run.model.exists() else None,
            "samples": str(samples) if samples.exists() else None,
            "metrics": trainer.latest | trainer.scores if trainer else {},
            "stopped_by": stopped_by,
            "max_time": self.request.max_time,
        }


@contextmanager
def _lasting() -> Iterator[None]:
    """What could be written to when the run began and no longer can is a failed write."""
    try:
        yield
    except CannotCreate as error:
        reason = str(error).rpartition(";")[0]
        raise WriteFailed(f"{reason}; make it writable and run the same command again") from None
