"""The training loop: steps, metrics, scores, sample grids, checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from genctl.common import files
from genctl.common.reporting import Reporter, TrainingProgress
from genctl.common.signals import SignalFlags, Stopped
from genctl.config.config import Config
from genctl.data import pictures
from genctl.data.base import Images
from genctl.data.preprocess import fit_preprocessing
from genctl.inference import sampling
from genctl.inference.sample_grid import SampleGrid
from genctl.model import Model
from genctl.runs import model_file
from genctl.runs.run import Run
from genctl.training.budget import Budget
from genctl.training.checkpoint import save_checkpoint
from genctl.training.engines.choice import choose_engine
from genctl.training.process_group import SINGLE_PROCESS, ProcessGroup
from genctl.training.state import State
from genctl.training.step import Position, Step

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.evaluation.scorer import Scorer
    from genctl.runs.tensorboard import TensorBoard


@dataclass(frozen=True)
class TrainingServices:
    """What the loop uses besides config, state and data."""

    precision: str
    signals: SignalFlags
    reporter: Reporter
    scorer: Scorer | None = None
    tensorboard: TensorBoard | None = None
    group: ProcessGroup = SINGLE_PROCESS


class Trainer:
    """Trains the networks of one run, from wherever its state is.

    With several processes every one of them runs this loop, and rank 0 alone writes.
    """

    def __init__(
        self,
        config: Config,
        state: State,
        images: Images,
        test_images: Images,
        run: Run,
        services: TrainingServices,
    ) -> None:
        self.config, self.state, self.images, self.run = config, state, images, run
        self.services = services
        step = Step(config, state, images, services.precision, services.group)
        self.engine = choose_engine(config.training.engine, step, services.reporter)
        self.images_per_step = step.images
        self.sample_grid = SampleGrid(state.model, test_images, config.training.seed)
        self.preprocessing = fit_preprocessing(images, config.data.source_size)
        self.losses: dict[str, float] = {}  # of the last line of metrics
        self.scores: dict[str, float] = {}
        self.scored_at = self.saved_at = -1  # images
        for record in run.read_metrics():  # of the earlier parts of the run
            self.losses = record.get("terms", self.losses)
            if "scores" in record:
                self.scores, self.scored_at = record["scores"], record["images"]
        self.rates: list[float] = []  # images per second between two lines of metrics
        self.stopped_by = ""
        self._logged_time = time.monotonic()
        self._logged_images = state.images

    def train(self, budget: Budget, elapsed: Callable[[], float]) -> str:
        """Take steps until the budget is spent or the score has converged.

        Args:
            budget: when to stop.
            elapsed: seconds that all parts of the run have taken so far.

        Returns:
            What ended the run: ``images``, ``time`` or ``patience``.

        Raises:
            Diverged: a loss or a weight is no longer finite; the last checkpoint is good.
            Interrupted: a signal asked the run to stop; a checkpoint was written.
        """
        self.budget, self.elapsed = budget, elapsed
        self.state.model.train()
        self._logged_time = time.monotonic()
        while (progress := self._progress()) < 1:
            self.take_step(progress)
            if self.services.group.is_main:
                self._after_step()
        if self.services.group.is_main:
            self.score()
            self.save_all()
        return self.stopped_by

    def _progress(self) -> float:
        """The share of the run that is done, 0 to 1, as rank 0 sees it."""
        progress = self.budget.progress(self.state.images, self.elapsed())
        if progress >= 1 and not self.stopped_by:
            self.stopped_by = "images" if self.state.images >= self.budget.images else "time"
        return self.services.group.broadcast([1.0 if self.stopped_by else progress])[0]

    def take_step(self, progress: float) -> None:
        """One step: every update of the objective, then the EMA."""
        state = self.state
        losses = self.engine.run(Position(state.step, state.images, progress))
        state.losses.add(losses.names, losses.values)
        state.step += 1
        state.images += self.images_per_step
        # Reading the losses makes the CPU wait for a GPU, so that is done now and then only.
        if self.images.device.type == "cpu" or state.step % 50 == 0:
            state.losses.require_finite()

    def _after_step(self) -> None:
        """Log, score, save and obey signals, whatever is due."""
        training, signals = self.config.training, self.services.signals
        if self.is_due(training.log_every):
            self.log()
        if self.is_due(self.config.evaluation.every):
            self.score()
            if self.state.early_stopping.has_converged(self.state.images, training.patience):
                self.stopped_by = "patience"
                self.save_all()
        if self.is_due(training.checkpoint_every):
            self.save_all()
        if signals.checkpoint:
            signals.checkpoint = False
            self.save_checkpoint()
        if signals.stop is not None and not self.stopped_by:
            self.save_checkpoint()
            if self.state.early_stopping.best is None:
                self.save_model()
            raise Stopped(signals.stop).as_error(f"checkpoint at {self.state.images:,} images")

    def is_due(self, every: int) -> bool:
        """Whether the last step passed a multiple of ``every`` images; never for 0."""
        before = self.state.images - self.images_per_step
        return bool(every) and self.state.images // every > before // every

    # -- what is written --------------------------------------------------------------------------

    def log(self) -> None:
        """Write a line of metrics."""
        self.losses = self.state.losses.pop()
        now, images = time.monotonic(), self.state.images
        self.rates.append((images - self._logged_images) / (now - self._logged_time))
        record = {"images": images, "seconds": round(self.elapsed(), 3), "terms": self.losses}
        self.run.log(record)
        self._write_scalars(self.losses)
        self.services.reporter.training(self._training_progress())
        self._logged_time, self._logged_images = time.monotonic(), images

    def score(self) -> None:
        """Score the EMA, and save it as the model if it is the best so far."""
        if self.services.scorer is None or self.scored_at == self.state.images:
            return
        with self._clock_paused():
            state = self.state
            state.require_finite()
            self.scored_at = state.images
            self.scores = self.services.scorer.score(self.averaged)
            self.run.log({"images": state.images, "scores": self.scores})
            self._write_scalars({f"score/{name}": value for name, value in self.scores.items()})
            if state.early_stopping.has_collapsed(self.scores):
                self.services.reporter.warn(
                    f"collapsed at {state.images:,} images: the score is far worse than at "
                    f"{state.early_stopping.best_images:,}; the model from then is kept"
                )
            if state.early_stopping.update(self.scores, state.images):
                self.save_model()

    def save_all(self) -> None:
        """Write model, sample grid and checkpoint, then delete old checkpoints."""
        if self.saved_at == self.state.images:
            return
        self.saved_at = self.state.images
        with self._clock_paused():
            self.state.require_finite()
            if self.state.early_stopping.best is None:  # without scores, the latest is the best
                self.save_model()
            self.save_samples()
            # Last: a run killed before this point writes the others again after resuming.
            self.save_checkpoint()
            self.run.prune(self.config.training.keep)

    def save_checkpoint(self) -> None:
        """Write everything that resuming needs."""
        self.run.sync_metrics()
        path = self.run.checkpoint_path(self.state.images)
        save_checkpoint(self.state, path, self.elapsed(), self.services.precision)

    def save_model(self) -> None:
        """Write the EMA, and what else sampling needs."""
        metadata = model_file.ModelMetadata(
            self.config, self.images.classes, self.preprocessing, self.state.images
        )
        model_file.write(self.run.model, self.averaged, *self.codes(), metadata)

    def save_samples(self) -> None:
        """Write the sample grid; z and conditions are the same every time."""
        grid = self.sample_grid.render(self.averaged)
        files.atomic_write(self.run.sample_path(self.state.images), pictures.png(grid))
        if self.services.tensorboard is not None:
            self.services.tensorboard.add_image(self.state.images, grid)

    def codes(self) -> tuple[Tensor, Tensor]:
        """Codes of the classes (num_classes, code_dim) and of training images (M, code_dim)."""
        condition, encode = self.config.condition, partial(sampling.encode, self.averaged)
        return (
            condition.class_codes(encode, self.images),
            condition.training_codes(encode, self.images),
        )

    def rehearse_end(self) -> float:
        """Do what follows the last step, without keeping it; returns the seconds it took."""
        started = time.monotonic()
        self.sample_grid.render(self.averaged)
        self.codes()
        if self.services.scorer is not None:
            self.services.scorer.score(self.averaged)
        return time.monotonic() - started

    @property
    def averaged(self) -> Model:
        """The networks for inference."""
        return self.state.ema.model

    @property
    def images_per_second(self) -> float:
        """The median rate between lines of metrics, without the first, which is a warm-up."""
        return median(self.rates[1:] or self.rates or [0.0])

    @contextmanager
    def _clock_paused(self) -> Iterator[None]:
        """Leave the block out of the training rate."""
        started = time.monotonic()
        yield
        self._logged_time += time.monotonic() - started

    def _write_scalars(self, scalars: dict[str, float]) -> None:
        if self.services.tensorboard is not None:
            self.services.tensorboard.add_scalars(self.state.images, scalars)

    def _training_progress(self) -> TrainingProgress:
        elapsed = self.elapsed()
        share = self.budget.progress(self.state.images, elapsed)
        seconds_left = elapsed / share - elapsed if share else 0.0
        return TrainingProgress(
            share,
            self.state.images,
            self.images_per_second,
            seconds_left,
            self.losses,
            self.scores,
        )
