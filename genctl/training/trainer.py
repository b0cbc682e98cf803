"""The training loop: steps, metrics, scores, sample grids, checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from statistics import median
from typing import TYPE_CHECKING

from genctl.common.devices import synchronize
from genctl.common.reporting import Reporter, TrainingProgress
from genctl.common.signals import SignalFlags, Stopped
from genctl.config.config import Config
from genctl.data.base import Images
from genctl.model import Model
from genctl.training import finish
from genctl.training.budget import Budget, end_seconds
from genctl.training.engines.choice import choose_engine
from genctl.training.finish import Finisher
from genctl.training.overfitting import OVERFITTING
from genctl.training.process_group import SINGLE_PROCESS, ProcessGroup
from genctl.training.state import State
from genctl.training.step import Position, Step
from genctl.training.threads import SlowdownNotice

if TYPE_CHECKING:
    from genctl.training.outputs import RunOutputs

RECENT = 5  # lines of metrics whose median rate is the present one
MIN_MEASURED = 2.0  # seconds of training before the first line tells a rate


@dataclass(frozen=True)
class TrainingServices:
    """What the loop uses besides config, state and images."""

    precision: str
    reporter: Reporter
    group: ProcessGroup = SINGLE_PROCESS
    outputs: RunOutputs | None = None  # rank 0 alone has these, and the following
    score: Callable[[Model], dict[str, float]] | None = None
    signals: SignalFlags = field(default_factory=SignalFlags)


class Trainer:
    """Trains the networks of one run, from wherever its state is.

    With several processes every one of them runs this loop. Rank 0 alone has outputs: it decides
    when the run is over, scores, writes, and obeys signals.
    """

    def __init__(
        self, config: Config, state: State, images: Images, services: TrainingServices
    ) -> None:
        self.config, self.state, self.services = config, state, services
        step = Step(config, state, images, services.precision, services.group)
        self.engine = choose_engine(config.training.engine, step, services.reporter)
        self.images_per_step = step.images
        self.budget = Budget(config.training.images)
        self.stopped_by = ""
        self.finisher: Finisher | None = None  # on rank 0
        self.rates: list[float] = []  # images per second between two lines of metrics
        self._slowdown = SlowdownNotice(self.engine.step.device, services.reporter)
        self._logged_time = time.monotonic()
        self._logged_images = self._first_images = state.images
        self._paused_seconds = 0.0  # of scoring and saving

    def train(self, budget: Budget) -> str:
        """Take steps until the budget is spent or the score has converged.

        Returns:
            What ended the run: ``images``, ``time``, ``patience`` or ``finish``; or ``pause``, with
            a checkpoint, if it is to go on later as if it had never stopped.

        Raises:
            Diverged: a loss or a weight is no longer finite; the last checkpoint is good.
            Interrupted: a signal asked the run to stop; a checkpoint was written.
            SystemExit: rank 0 has ended, and this is another process.
        """
        self.budget = budget
        self.state.model.train()
        outputs = self.services.outputs
        if outputs is not None:
            self.finisher = Finisher(outputs.run, self.services.reporter)
            if not self.state.images:  # the beginning of every run's samples
                outputs.save_samples()
        self._logged_time = time.monotonic()
        while (progress := self._progress(outputs)) < 1:
            self.take_step(progress)
            if outputs is not None:
                self._after_step(outputs)
        if outputs is not None and self.stopped_by == "pause":
            self._save_to_resume(outputs)
        elif outputs is not None:
            self._score(outputs)
            self._save_all(outputs)
        return self.stopped_by

    def _progress(self, outputs: RunOutputs | None) -> float:
        """The share of the run that is done, 0 to 1, as rank 0 sees it."""
        if outputs is None:
            return self.services.group.broadcast()
        state, patience = self.state, self.config.training.patience
        self._obey_finish(outputs)
        progress = self._share(outputs)
        was_scored = outputs.scored_at == state.images
        if was_scored and state.early_stopping.has_converged(state.images, patience):
            self.stopped_by = "patience"
        elif progress >= 1:
            self.stopped_by = self._what_is_spent()
        elif self.budget.is_paused(state.images):
            self.stopped_by = "pause"
        return self.services.group.broadcast(1.0 if self.stopped_by else progress)

    def _share(self, outputs: RunOutputs) -> float:
        """The share of images, time, or the early end that is done, 0 to 1."""
        images = self.state.images
        scheduled = self.budget.progress(images, outputs.elapsed())
        return self.finisher.progress(images, scheduled) if self.finisher else scheduled

    def _what_is_spent(self) -> str:
        if self.state.images >= self.budget.images:
            return "images"
        early_end = self.finisher.early_end if self.finisher else None
        return "finish" if early_end and self.state.images >= early_end.end else "time"

    def _obey_finish(self, outputs: RunOutputs) -> None:
        """Plan the end of the run if it was asked to finish, and its rate is known."""
        finisher, budget, state = self.finisher, self.budget, self.state
        within = finisher.requested_seconds() if finisher else None
        if finisher is None or within is None:
            return
        progress, rate = self._share(outputs), self._recent_rate()
        if progress >= 1 or not rate:
            return
        left = min(within, budget.seconds_left(outputs.elapsed()))
        with self._clock_paused():
            rehearsal = self.rehearse_end()
        pause_per_image = self._paused_seconds / max(state.images - self._first_images, 1)
        seconds = left - rehearsal - end_seconds(rehearsal)
        affordable = finish.affordable_images(seconds, rate, pause_per_image)
        images = min(affordable, budget.images - state.images)
        finisher.end_after(images, self.images_per_step, state.images, progress, within)

    def _recent_rate(self) -> float:
        """Images per second now; 0.0 if that is not known yet."""
        if self.rates:
            return median(self.rates[-RECENT:])
        seconds = time.monotonic() - self._logged_time
        return (self.state.images - self._logged_images) / seconds if seconds > MIN_MEASURED else 0

    def take_step(self, progress: float) -> None:
        """One step: every update of the objective, then the EMA.

        Args:
            progress: the share of the run that is done, 0 to 1.

        Raises:
            Diverged: a loss is infinite or NaN.
        """
        state = self.state
        losses = self.engine.run(self.position(progress))
        state.step += 1
        state.images += self.images_per_step
        if self.services.group.is_main:  # the losses are those of all processes
            state.losses.add(losses.names, losses.values)
            # Reading them makes the CPU wait for a GPU, so that is done now and then only.
            if self.engine.step.device.type == "cpu" or state.step % 50 == 0:
                state.losses.require_finite()

    def position(self, progress: float) -> Position:
        """Where the next step starts, at ``progress`` (0 to 1)."""
        return Position(self.state.step, self.state.images, progress)

    def _after_step(self, outputs: RunOutputs) -> None:
        """Log, score, save and obey signals, whatever is due."""
        state, training, signals = self.state, self.config.training, self.services.signals
        if self.is_due(training.log_every):
            self._log(outputs)
        if self.is_due(self.config.evaluation.every):
            self._score(outputs)
        if self.is_due(training.checkpoint_every):
            self._save_all(outputs)
        if signals.checkpoint:
            signals.checkpoint = False
            outputs.save_checkpoint()
        if signals.stop is not None:
            self._save_to_resume(outputs)
            raise Stopped(signals.stop).as_error(f"checkpoint at {state.images:,} images")

    def _save_to_resume(self, outputs: RunOutputs) -> None:
        """Write a checkpoint and, without scores to choose the best by, the model of now."""
        outputs.save_checkpoint()
        if self.state.early_stopping.best is None:
            outputs.save_model()

    def is_due(self, every: int) -> bool:
        """Whether the last step passed a multiple of ``every`` images; never for 0."""
        before = self.state.images - self.images_per_step
        return bool(every) and self.state.images // every > before // every

    def _log(self, outputs: RunOutputs) -> None:
        """Write a line of metrics, and report progress."""
        losses = self.state.losses.pop()
        with self._clock_paused():
            losses |= self._overfitting(outputs)
        now, images = time.monotonic(), self.state.images
        self.rates.append((images - self._logged_images) / (now - self._logged_time))
        self._slowdown.check(self.rates)
        outputs.write_losses(losses)
        share = self._share(outputs)
        self.services.reporter.training(
            TrainingProgress(
                share,
                images,
                self.images_per_second,
                self._seconds_left(share, outputs.elapsed()),
                losses=losses,
                scores=outputs.scores,
            )
        )
        self._logged_time, self._logged_images = time.monotonic(), images

    def _overfitting(self, outputs: RunOutputs) -> dict[str, float]:
        """Whether the critic knows the training pictures by heart; {} if that is not measured."""
        if outputs.overfitting is None:
            return {}
        measured = outputs.overfitting.measure(self.state.model)
        if warning := outputs.overfitting.warning(measured):
            self.services.reporter.warn(f"{warning} (at {self.state.images:,} images)")
        return {OVERFITTING: measured} if isfinite(measured) else {}

    def _seconds_left(self, share: float, elapsed: float) -> float:
        early_end = self.finisher.early_end if self.finisher else None
        if early_end is not None and self.images_per_second:
            return max(early_end.end - self.state.images, 0) / self.images_per_second
        return elapsed / share - elapsed

    def _score(self, outputs: RunOutputs) -> None:
        """Score the EMA, and save it as the model if it is the best so far."""
        state, score = self.state, self.services.score
        if score is None or outputs.scored_at == state.images:
            return
        with self._clock_paused():
            state.require_finite()
            scores = score(state.ema.model)
            outputs.write_scores(scores)
            if state.early_stopping.has_collapsed(scores):
                self.services.reporter.warn(
                    f"collapsed at {state.images:,} images: the score is far worse than at "
                    f"{state.early_stopping.best_images:,}; the model from then is kept"
                )
            if state.early_stopping.update(scores, state.images):
                outputs.save_model()

    def _save_all(self, outputs: RunOutputs) -> None:
        with self._clock_paused():
            outputs.save_all()

    def rehearse_end(self) -> float:
        """Do what follows the last step, without keeping it; returns the seconds it took."""
        started = time.monotonic()
        if self.services.outputs is not None:
            self.services.outputs.render_samples()
            self.services.outputs.codes()
        if self.services.score is not None:
            self.services.score(self.state.ema.model)
        return time.monotonic() - started

    @property
    def images_per_second(self) -> float:
        """The median rate between lines of metrics, without the first, which is a warm-up."""
        return median(self.rates[1:] or self.rates or [0.0])

    @contextmanager
    def _clock_paused(self) -> Iterator[None]:
        """Leave the block out of the training rate."""
        synchronize(self.engine.step.device)  # steps that are still queued are training
        started = time.monotonic()
        yield
        seconds = time.monotonic() - started
        self._logged_time += seconds
        self._paused_seconds += seconds
