"""What a run writes while it trains: metrics, models, sample grids and checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor

from genctl.common import files
from genctl.config.config import Config
from genctl.data import pictures
from genctl.data.base import Images
from genctl.data.preprocess import fit_preprocessing
from genctl.inference import sampling
from genctl.inference.sample_grid import SampleGrid
from genctl.runs import model_file
from genctl.runs.run import Run
from genctl.training.checkpoint import save_checkpoint
from genctl.training.overfitting import overfitting_probe
from genctl.training.state import State

if TYPE_CHECKING:
    from genctl.runs.tensorboard import TensorBoard


class RunOutputs:
    """Writes the state of a run into its directory.

    Args:
        config: the config.
        state: the state to write.
        images: the training images.
        test_images: the conditions of the sample grid are chosen among these.
        run: the run directory.
        precision: in which the run computes.
        elapsed: returns the seconds that all parts of the run have taken so far.
        tensorboard: receives the metrics and sample grids too.
    """

    def __init__(
        self,
        config: Config,
        state: State,
        images: Images,
        test_images: Images,
        run: Run,
        precision: str,
        elapsed: Callable[[], float],
        tensorboard: TensorBoard | None = None,
    ) -> None:
        self.config, self.state, self.images, self.run = config, state, images, run
        self.precision, self.elapsed, self.tensorboard = precision, elapsed, tensorboard
        self.overfitting = overfitting_probe(config, images, test_images, precision)
        self.sample_grid = SampleGrid(state.model, test_images, config.training.seed)
        self.preprocessing = fit_preprocessing(images, config.data.native_size)
        self.scored_at = self.saved_at = -1  # images
        self.losses: dict[str, float] = {}  # the last ones written
        self.scores: dict[str, float] = {}
        for record in run.read_metrics():  # of the earlier parts of the run
            self.losses = record.get("terms", self.losses)
            if "scores" in record:
                self.scores, self.scored_at = record["scores"], record["images"]

    def write_losses(self, losses: dict[str, float]) -> None:
        """Write a line of metrics with the mean losses since the last one."""
        self.losses = losses
        self._log("terms", losses)
        self._write_scalars(losses)

    def write_scores(self, scores: dict[str, float]) -> None:
        """Write a line of metrics with scores."""
        self.scores, self.scored_at = scores, self.state.images
        self._log("scores", scores)
        self._write_scalars({f"score/{name}": value for name, value in scores.items()})

    def save_all(self) -> None:
        """Write model, sample grid and checkpoint, then delete old checkpoints."""
        if self.saved_at == self.state.images:
            return
        self.saved_at = self.state.images
        self.state.require_finite()
        if self.state.early_stopping.best is None:  # without scores, the latest is the best
            self.save_model()
        self.save_samples()
        # Last: a run killed before this point writes the others again after resuming.
        self.save_checkpoint()
        self.run.prune_checkpoints(self.config.training.keep)

    def save_checkpoint(self) -> None:
        """Write everything that resuming needs."""
        self.run.sync_metrics()
        path = self.run.checkpoint_path(self.state.images)
        save_checkpoint(self.state, path, self.elapsed(), self.precision)

    def save_model(self) -> None:
        """Write the EMA, and what else sampling needs."""
        captions = self.images.tokens
        metadata = model_file.ModelMetadata(
            self.config,
            self.images.classes,
            self.preprocessing,
            self.state.images,
            () if captions is None else captions.vocabulary,
        )
        model_file.write(self.run.model, self.state.ema.model, *self.codes(), metadata)

    def save_samples(self) -> None:
        """Write the sample grid; z and conditions are the same every time."""
        grid = self.render_samples()
        files.atomic_write(self.run.sample_path(self.state.images), pictures.png(grid))
        if self.tensorboard is not None:
            self.tensorboard.add_image(self.state.images, grid)

    def render_samples(self) -> Tensor:
        """The sample grid as an image."""
        return self.sample_grid.render(self.state.ema.model)

    def codes(self) -> tuple[Tensor, Tensor]:
        """Codes of the classes (num_classes, code_dim) and of training images (M, code_dim)."""
        condition, encode = self.config.condition, partial(sampling.encode, self.state.ema.model)
        return (
            condition.class_codes(encode, self.images),
            condition.training_codes(encode, self.images),
        )

    def _log(self, name: str, values: dict[str, float]) -> None:
        seconds = round(self.elapsed(), 3)
        self.run.log({"images": self.state.images, "seconds": seconds, name: values})

    def _write_scalars(self, scalars: dict[str, float]) -> None:
        if self.tensorboard is not None:
            self.tensorboard.add_scalars(self.state.images, scalars)
