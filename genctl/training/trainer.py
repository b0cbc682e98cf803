"""The loop: turns, average, metrics, pictures, checkpoints."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Any

import torch

from genctl.common import files
from genctl.config.config import Config
from genctl.data import pictures as images
from genctl.data.base import Images
from genctl.data.preprocess import read_framing
from genctl.inference import sampling
from genctl.inference.sample_grid import Exhibit
from genctl.model import Model
from genctl.runs import model_file
from genctl.runs.run import Run
from genctl.training.checkpoint import State
from genctl.training.engines.choice import choose_engine
from genctl.training.follower import leading
from genctl.training.services import Budget, Surroundings
from genctl.training.step import Moment, Step


class Trainer:
    """Trains the networks of one run, from wherever its state stands."""

    def __init__(
        self,
        config: Config,
        state: State,
        data: Images,
        held_out: Images,
        run: Run,
        around: Surroundings,
    ) -> None:
        training = config.training
        self.config, self.state, self.data, self.run = config, state, data, run
        self.around = around
        step = Step(config, state, data, around.precision, around.peers)
        self.engine = leading(choose_engine(training.engine, step, around.listener))
        self.images_per_step = step.images
        self.exhibit = Exhibit(state.model, held_out, training.seed)
        self.framing = read_framing(data, config.data.source_size)
        self.latest: dict[str, float] = {}  # terms in the last line of metrics
        self.scores: dict[str, float] = {}
        self.measured_at = self.saved_at = -1  # images
        for record in run.read_metrics():  # what an earlier part of the run found last
            self.latest = record.get("terms", self.latest)
            if "scores" in record:
                self.scores, self.measured_at = record["scores"], record["images"]
        self.rates: list[float] = []  # images a second between two lines of metrics
        self._lap_started = time.monotonic()
        self._lap_images = state.images

    def train(self, budget: Budget, elapsed: Callable[[], float]) -> str:
        """Play until the budget is spent or the score has converged.

        Returns:
            What ended the run: ``images``, ``time`` or ``patience``.

        Raises:
            Diverged: a loss or a weight is no longer finite; the last checkpoint is good.
            Interrupted: a signal asked for the end; a checkpoint was written.
        """
        training = self.config.training
        self.elapsed, self.budget = elapsed, budget
        self.state.model.train()
        self._lap_started = time.monotonic()
        while (progress := budget.progress(self.state.images, elapsed())) < 1:
            self.step(progress)
            if self.passed(training.log_every):
                self.log()
            if self.passed(self.config.evaluation.every):
                self.measure()
                if self.state.standing.has_converged(self.state.images, training.patience):
                    self.save_all()
                    return "patience"
            if self.passed(training.checkpoint_every):
                self.save_all()
            if self.around.requests.checkpoint:
                self.around.requests.checkpoint = False
                self.save_checkpoint()
            if self.around.requests.ending is not None:
                self.save_checkpoint()
                if self.state.standing.best is None:
                    self.save_model()
                self.around.requests.raise_if_ending(f"checkpoint at {self.state.images:,} images")
        self.measure()
        self.save_all()
        return "images" if self.state.images >= budget.images else "time"

    def step(self, progress: float) -> None:
        """Take every turn of the objective once, then average the weights."""
        state = self.state
        terms = self.engine.take(Moment(state.step, state.images, progress))
        state.meter.add(terms.names, terms.values)
        state.step += 1
        state.images += self.images_per_step
        if self.data.device.type == "cpu" or state.step % 50 == 0:  # a GPU would have to wait
            state.meter.require_finite()

    def passed(self, every: int) -> bool:
        """Whether the last step went past a multiple of ``every`` images; never for 0."""
        before = self.state.images - self.images_per_step
        return bool(every) and self.state.images // every > before // every

    # -- what is kept -----------------------------------------------------------------------------

    def log(self) -> None:
        """Write a line of metrics."""
        self.latest = self.state.meter.means()
        now = time.monotonic()
        self.rates.append((self.state.images - self._lap_images) / (now - self._lap_started))
        record: dict[str, Any] = {"images": self.state.images, "seconds": round(self.elapsed(), 3)}
        self.run.log(record | {"terms": self.latest})
        self.around.curves.write(self.state.images, self.latest)
        self.around.listener.trained(self, self.budget)
        self._lap_started, self._lap_images = time.monotonic(), self.state.images

    def measure(self) -> None:
        """Score the averaged networks, and keep them as the model if they are the best so far."""
        if self.around.scorer is None or self.measured_at == self.state.images:
            return
        with self.paused():
            self.state.require_finite()
            self.measured_at = self.state.images
            self.scores = self.around.scorer.score(self.averaged)
            self.run.log({"images": self.state.images, "scores": self.scores})
            self.around.curves.write(
                self.state.images, {f"score/{name}": value for name, value in self.scores.items()}
            )
            if self.state.standing.has_collapsed(self.scores):
                self.around.listener.warn(
                    f"collapsed at {self.state.images:,} images: the score is far worse than at "
                    f"{self.state.standing.best_images:,}; the model from there is kept"
                )
            if self.state.standing.take(self.scores, self.state.images):
                self.save_model()

    def save_all(self) -> None:
        """Write checkpoint, model and grid, then drop what is too old."""
        if self.saved_at == self.state.images:
            return
        self.saved_at = self.state.images
        with self.paused():
            self.state.require_finite()
            if self.state.standing.best is None:  # nothing says that an earlier one is better
                self.save_model()
            self.save_samples()
            # Last: a run that is killed before it makes the others again, after it never does.
            self.save_checkpoint()
            self.run.prune(self.config.training.keep)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the block out of the training rate."""
        started = time.monotonic()
        yield
        self._lap_started += time.monotonic() - started

    def rehearse(self) -> float:
        """Do what comes after the last step without keeping it; returns the seconds it took."""
        started = time.monotonic()
        self.exhibit.draw(self.averaged)
        self.codes()
        if self.around.scorer is not None:
            self.around.scorer.score(self.averaged)
        return time.monotonic() - started

    def save_checkpoint(self) -> None:
        """Write everything that resuming needs."""
        self.run.sync_metrics()
        facts = {"seconds": self.elapsed(), "precision": self.around.precision}
        self.state.save(self.run.checkpoint_path(self.state.images), facts)

    def save_model(self) -> None:
        """Write the averaged networks that drawing needs."""
        facts = model_file.Facts(self.config, self.data.classes, self.framing, self.state.images)
        model_file.write(self.run.model, self.averaged, *self.codes(), facts)

    def codes(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The codes of the classes (classes, width), and typical ones (P, width)."""
        condition, encode = self.config.condition, partial(sampling.encode, self.averaged)
        return condition.class_codes(encode, self.data), condition.typical_codes(encode, self.data)

    def save_samples(self) -> None:
        """Write the grid of samples, the same z and conditions as ever."""
        grid = self.exhibit.draw(self.averaged)
        files.write_whole(self.run.sample_path(self.state.images), images.png(grid))
        self.around.curves.show(self.state.images, grid)

    @property
    def averaged(self) -> Model:
        """The networks that are drawn from."""
        return self.state.average.model

    @property
    def images_per_second(self) -> float:
        """The steady rate: the median between lines of metrics, the first left out as warm-up."""
        return median(self.rates[1:] or self.rates or [0.0])
