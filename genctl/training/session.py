"""What one process of a run does: set everything up, train, and write the result."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from genctl.common.devices import (
    choose_precision,
    deterministic_algorithms,
    flush_denormals,
    restored_threads,
    translate_memory_errors,
)
from genctl.common.errors import CannotCreate, Diverged, GenctlError, Interrupted, WriteFailed
from genctl.common.reporting import Reporter
from genctl.common.signals import SignalFlags, Stopped
from genctl.config.build import build_model
from genctl.config.config import Config
from genctl.config.loading import load_data
from genctl.data.base import Images
from genctl.evaluation.judge_cache import has_judge, load_judge
from genctl.evaluation.scorer import Scorer
from genctl.model import to_device
from genctl.runs.run import Run
from genctl.runs.tensorboard import TensorBoard
from genctl.training.budget import Budget, end_seconds
from genctl.training.checkpoint import resume
from genctl.training.outputs import RunOutputs
from genctl.training.process_group import ProcessGroup, local_device
from genctl.training.reproducibility import prove_engine, record_environment, record_scorer
from genctl.training.state import State
from genctl.training.step import Position, Step
from genctl.training.sync_batchnorm import synchronize_batchnorm
from genctl.training.sync_transport import synchronize_transport
from genctl.training.threads import known_threads, measure_threads
from genctl.training.trainer import Trainer, TrainingServices

Result = dict[str, Any]

PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True)
class TrainRequest:
    """What ``genctl train`` was asked to do."""

    config: Config
    path: Path  # the run directory
    device: str = "auto"
    max_time: float | None = None  # seconds
    fresh: bool = False
    started: float = field(default_factory=time.monotonic)  # when the process began
    pause_at: int | None = None  # images


class Session:
    """What one process does for a run between its start and its end."""

    def __init__(
        self,
        request: TrainRequest,
        run: Run,
        signals: SignalFlags,
        group: ProcessGroup,
        reporter: Reporter,
    ) -> None:
        self.request, self.config, self.run, self.group = request, request.config, run, group
        self.signals, self.reporter = signals, reporter
        self.seconds_before = 0.0
        self.outputs: RunOutputs | None = None
        self.trainer: Trainer | None = None

    def elapsed(self) -> float:
        """Seconds that all parts of the run have taken, set-up included."""
        return self.seconds_before + time.monotonic() - self.request.started

    # -- rank 0 -----------------------------------------------------------------------------------

    def run_main(self) -> Result:
        """Train as rank 0, and write a result whatever happens."""
        self.run.result.unlink(missing_ok=True)  # from now on the run is not complete
        try:
            with self._computing():
                stopped_by = self._train()
        except Stopped as stopped:  # outside the loop, which turns signals into errors itself
            error = stopped.as_error(self._saved())
            self._write_failure(error)
            raise error from None
        except GenctlError as error:
            self._write_failure(error)
            raise
        status = "interrupted" if stopped_by == "pause" else "complete"
        result = self._result(status, stopped_by)
        with _write_failures_only():
            self.run.write_result(result)
        return result

    def _train(self) -> str:
        """Set everything up and train; returns what ended the run."""
        config, run = self.config, self.run
        device, images, test_images, state = self._set_up()
        run.remove_leftovers()
        checkpoint = resume(state, run, self.reporter.warn)
        self.seconds_before = checkpoint.seconds if checkpoint else 0.0
        saved_precision = checkpoint.precision if checkpoint else None
        precision = saved_precision or choose_precision(config.training.precision, device)
        environment_before = run.read_environment() if checkpoint else {}
        threads = known_threads(
            config.training.threads, device, self.group.size, environment_before
        ) or measure_threads(
            Step(config, state, images, precision), Position(state.step, state.images, 0.0)
        )
        torch.set_num_threads(threads.number)
        record_environment(
            run,
            device,
            precision,
            images,
            state.model.parameter_counts(),
            self.group.size,
            config.training.deterministic,
            threads,
            environment_before,
            self.reporter,
        )
        run.truncate_metrics(state.images)
        with TensorBoard(run.tensorboard, state.images) as tensorboard:
            scorer = self._scorer(images, test_images, device)
            if scorer is not None:
                record_scorer(run, scorer)
            self._start_together(state, precision)
            images = images.to(device)
            self.outputs = RunOutputs(
                config, state, images, test_images, run, precision, self.elapsed, tensorboard
            )
            services = TrainingServices(
                precision,
                self.reporter,
                self.group,
                self.outputs,
                scorer.score if scorer else None,
                self.signals,
            )
            self.trainer = trainer = Trainer(config, state, images, services)
            self.reporter.info(
                f"{'resuming' if checkpoint else 'training'} {run} on {device} in {precision}"
                + (f" with {threads}" if device.type == "cpu" else "")
                + (f" and {self.group.size} processes" if self.group.size > 1 else "")
                + (f" from {state.images:,} images" if checkpoint else "")
            )
            prove_engine(run, trainer, environment_before, self.reporter)
            budget = self._budget(trainer)
            with self.signals.deferred(), _write_failures_only():
                return trainer.train(budget)

    def _scorer(self, images: Images, test_images: Images, device: torch.device) -> Scorer | None:
        """The scorer, if the config asks for scores and there is time to train a judge."""
        settings = self.config.evaluation
        if not settings.every:
            return None
        if self.request.max_time is not None and not has_judge(images):
            self.reporter.info(
                "no scores: there is no judge for this data yet, and training one would use up "
                "--max-time; `genctl evaluate` trains it once"
            )
            return None
        judge = load_judge(images, test_images, device, self.reporter)
        return Scorer(judge, images, test_images, settings.num_samples)

    def _budget(self, trainer: Trainer) -> Budget:
        images, seconds = self.config.training.images, self.request.max_time
        pause_at = self.request.pause_at
        if seconds is None:
            return Budget(images, pause_at=pause_at)
        # What follows the last step is rehearsed, to know how long it takes. The first time it is
        # slow: libraries are loaded, and memory is allocated.
        trainer.rehearse_end()
        return Budget(images, seconds, end_seconds(trainer.rehearse_end()), pause_at)

    # -- every process ----------------------------------------------------------------------------

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """How torch computes inside the block, as the config asks for it."""
        # A CPU is deterministic anyway.
        on_cpu = local_device(self.request.device).type == "cpu"
        deterministic = self.config.training.deterministic and not on_cpu
        with (
            translate_memory_errors(),
            flush_denormals(),
            restored_threads(),
            deterministic_algorithms(deterministic),
        ):
            yield

    def _set_up(self) -> tuple[torch.device, Images, Images, State]:
        """What every process does by itself: device, data, and freshly initialized networks."""
        device = local_device(self.request.device)
        images, test_images = load_data(self.config, self.reporter)
        model = to_device(build_model(self.config, len(images.classes)), device)
        augment = self.config.objective.augment_state(len(images), device)
        return device, images, test_images, State(self.config.optimizer, model, augment)

    def _start_together(self, state: State, precision: str = PRECISIONS[0]) -> str:
        """Give all processes rank 0's state; returns rank 0's precision."""
        self.group.broadcast()  # rank 0 is ready, or has failed
        tensors = state.tensors()
        device = next(iter(tensors.values())).device
        counters = [PRECISIONS.index(precision), state.step, state.images]
        received = torch.tensor(counters, device=device)
        self.group.broadcast_tensors([received, *tensors.values()])
        index, state.step, state.images = received.tolist()
        if self.group.size > 1:
            synchronize_batchnorm(state.model)
            synchronize_transport(state.model)
        return PRECISIONS[index]

    # -- the other ranks --------------------------------------------------------------------------

    def run_worker(self) -> None:
        """Train as another rank, which reads and writes nothing.

        Raises:
            SystemExit: rank 0 has ended.
        """
        with self._computing():
            device, images, _, state = self._set_up()
            threads = known_threads(self.config.training.threads, device, self.group.size)
            if threads is not None:
                torch.set_num_threads(threads.number)
            precision = self._start_together(state)
            services = TrainingServices(precision, self.reporter, self.group)
            trainer = Trainer(self.config, state, images.to(device), services)
            trainer.train(Budget(self.config.training.images))
            self.group.broadcast()  # rank 0 answers with its exit code once it has saved

    # -- results ----------------------------------------------------------------------------------

    def _saved(self) -> str:
        images = self.run.checkpoint_images
        return f"checkpoint at {images:,} images" if images else "nothing was trained yet"

    def _write_failure(self, error: GenctlError) -> None:
        status = {Diverged: "diverged", Interrupted: "interrupted"}.get(type(error), "failed")
        error.result = self._result(status, str(error))
        with self.signals.deferred():  # the first error is the one to raise
            try:
                self.run.write_result(error.result)
            except (WriteFailed, CannotCreate) as failure:
                self.reporter.warn(str(failure))

    def _result(self, status: str, stopped_by: str) -> Result:
        run, trainer, outputs = self.run, self.trainer, self.outputs
        images = trainer.state.images if trainer else run.checkpoint_images
        samples = run.sample_path(images)
        return {
            "run": str(run),
            "status": status,
            "images": images,
            "seconds": round(self.elapsed(), 2),
            "images_per_second": round(trainer.images_per_second, 1) if trainer else 0.0,
            "model": str(run.model) if run.model.exists() else None,
            "samples": str(samples) if samples.exists() else None,
            "metrics": outputs.losses | outputs.scores if outputs else {},
            "stopped_by": stopped_by,
            "finish": self._early_end(),
            "max_time": self.request.max_time,
        }

    def _early_end(self) -> dict[str, Any] | None:
        finisher = self.trainer.finisher if self.trainer else None
        early_end = finisher.early_end if finisher else None
        return asdict(early_end) if early_end else None


@contextmanager
def _write_failures_only() -> Iterator[None]:
    """Inside the block, a file that cannot be created is a failed write: the run has begun."""
    try:
        yield
    except CannotCreate as error:
        reason = str(error).rpartition(";")[0]
        raise WriteFailed(f"{reason}; make it writable and run the same command again") from None
