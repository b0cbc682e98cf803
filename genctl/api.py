"""What notebooks and scripts import: ``load``, ``train`` and ``evaluate``.

They do what the commands do, with the same pixels, files and errors. Messages go to the logger
``genctl``; nothing is printed to stdout.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from genctl.common.devices import choose_device, flush_denormals, translate_memory_errors
from genctl.common.errors import UsageError, user_errors
from genctl.common.reporting import TrainingProgress
from genctl.common.signals import Stopped, signal_flags
from genctl.config import config as configs
from genctl.config.run_names import default_name
from genctl.evaluation.evaluate import EvaluationOptions, evaluate_model, write_result
from genctl.inference.loaded_model import LoadedModel
from genctl.inference.sampling import device_of
from genctl.runs import model_file
from genctl.runs.lookup import find_model
from genctl.training.session import TrainRequest
from genctl.training.train import train as train_run

AnyPath = str | os.PathLike[str]
Against = Literal["train", "test"]
Features = Literal["judge", "inception"]
OnProgress = Callable[[TrainingProgress], None]
"""Called with each line of metrics."""

log = logging.getLogger("genctl")


@dataclass(frozen=True)
class TrainResult:
    """What training came to: the last JSON of ``genctl train``."""

    path: Path  # the run directory
    status: str  # "complete"
    stopped_by: str  # "images", "time", "patience" or "finish"
    images: int  # real images seen
    seconds: float  # everything, all parts of the run together
    images_per_second: float
    model: Path | None
    samples: Path | None  # the last grid of samples
    metrics: Mapping[str, float]  # the last losses ("critic/real") and scores ("fid")
    json: Mapping[str, Any] = field(repr=False)

    @property
    def scores(self) -> dict[str, float]:
        """The last scores; empty where the run is not scored (``evaluation.every``)."""
        return {name: value for name, value in self.metrics.items() if "/" not in name}


@dataclass(frozen=True)
class EvaluationResult:
    """The scores of a model, beside those of real images: the JSON of ``genctl evaluate``."""

    scores: Mapping[str, float]
    real: Mapping[str, float]  # the same scores of real images
    std: Mapping[str, float]  # over seeds
    n: int  # samples
    seeds: int
    warnings: tuple[str, ...]
    json: Mapping[str, Any] = field(repr=False)


def load(
    run: AnyPath | None = None, *, runs: AnyPath = "runs", device: str = "auto"
) -> LoadedModel:
    """Load a trained model.

    Args:
        run: a run directory, its name in ``runs``, or a ``.safetensors`` file; by default the
            newest run that has a model.
        runs: the folder that holds the run directories.
        device: auto, cpu, cuda, cuda:1 or mps.

    Raises:
        MissingInput: there is none.
        BadContent: the file is damaged, or not a model.
        UsageError, Unavailable: there is no such device.
    """
    with user_errors():
        path = find_model(None if run is None else os.fspath(run), Path(runs))
        if run is None:
            log.info("loading %s", path)
        return LoadedModel(model_file.read(path, choose_device(device)))


def train(
    config: AnyPath,
    *,
    set: Mapping[str, Any] | None = None,
    max_time: float | None = None,
    name: str | None = None,
    runs: AnyPath = "runs",
    device: str = "auto",
    fresh: bool = False,
    on_progress: OnProgress | None = None,
) -> TrainResult:
    """Train a generator; the same call again resumes an unfinished run.

    In the main thread, SIGINT, SIGTERM and SIGHUP end training with a checkpoint, unless the
    program handles them itself.

    Args:
        config: a YAML file, or the name of a preset.
        set: overrides, as ``{"objective.gamma": 0.3}``.
        max_time: finish within this many seconds, which include all earlier parts of the run.
        name: of the run; by default the config's name and a hash of its settings.
        runs: the folder that holds the run directories.
        device: auto, cpu, cuda, cuda:1 or mps.
        fresh: rename an existing run of that name, and start a new one.
        on_progress: called with each line of metrics.

    Raises:
        ConfigError: settings are wrong, or those of an existing run are others.
        Diverged: a loss or a weight became infinite or NaN.
        Interrupted: a signal came; a checkpoint is written.
        GenctlError: any other error of ``genctl train``, with its ``exit_code``.
    """
    source = os.fspath(config)
    if max_time is not None and not max_time >= 1:
        raise UsageError(f"max_time {max_time}: must be at least 1 second; give more")
    overrides = [_override(key, value) for key, value in (set or {}).items()]
    with user_errors():
        settings = configs.load(source, overrides)
        path = Path(runs) / (name or default_name(settings, source))
        request = TrainRequest(settings, path, device, max_time, fresh)
        try:
            with signal_flags(in_library=True):
                result = train_run(request, _LogReporter(on_progress))
        except Stopped as stopped:  # before the run began
            raise stopped.as_error("nothing was trained yet") from None
    return TrainResult(
        path=Path(result["run"]),
        model=_path(result["model"]),
        samples=_path(result["samples"]),
        json=result,
        **{key: result[key] for key in ("status", "stopped_by", "images", "seconds")},
        **{key: result[key] for key in ("images_per_second", "metrics")},
    )


def evaluate(
    run: LoadedModel | AnyPath | None = None,
    *,
    n: int | None = None,
    against: Against = "train",
    features: Features = "judge",
    seeds: int = 3,
    cas: bool = False,
    runs: AnyPath = "runs",
    device: str = "auto",
) -> EvaluationResult:
    """Measure FID, recall and more, and write evaluation.json into the run.

    Args:
        run: a loaded model, or what ``load`` takes.
        n: number of samples; by default one per test image, at most 10,000.
        against: the real images to compare with.
        features: the feature space; inception needs its weights on disk.
        seeds: number of sampling seeds.
        cas: also train a classifier on samples.
        runs: the folder that holds the run directories.
        device: auto, cpu, cuda, cuda:1 or mps; a loaded model stays where it is.

    Raises:
        UsageError: the data has too few images, or an argument does not fit.
        MissingInput, BadContent, Unavailable: model, data or weights cannot be loaded.
    """
    for name, value, choices in (("against", against, Against), ("features", features, Features)):
        if value not in get_args(choices):
            raise UsageError(f"{name} {value!r}: must be one of {', '.join(get_args(choices))}")
    if seeds < 1:
        raise UsageError(f"seeds {seeds}: must be at least 1; give more")
    model = run if isinstance(run, LoadedModel) else load(run, runs=runs, device=device)
    options = EvaluationOptions(n, against, features, seeds, cas)
    with user_errors(), translate_memory_errors(), flush_denormals(), model.in_use():
        chosen = device_of(model.trained.model)
        result = evaluate_model(model.trained, options, chosen, _LogReporter())
        write_result(result, model.trained)
    for text in result["warnings"]:
        log.warning(text)
    return EvaluationResult(
        warnings=tuple(result["warnings"]),
        json=result,
        **{key: result[key] for key in ("scores", "real", "std", "n", "seeds")},
    )


class _LogReporter:
    """Sends messages to the logger, and progress to a function."""

    def __init__(self, on_progress: OnProgress | None = None) -> None:
        self.on_progress = on_progress

    def info(self, text: str) -> None:
        log.info("%s", text)

    def warn(self, text: str) -> None:
        log.warning("%s", text)

    def progress(self, task: str, share: float) -> None:
        log.debug("%s: %.0f%%", task, 100 * share)

    def training(self, progress: TrainingProgress) -> None:
        if self.on_progress is not None:
            self.on_progress(progress)


def _override(key: str, value: Any) -> str:
    """A ``--set`` option; JSON is valid YAML."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=_plain)
    except (TypeError, ValueError):
        raise UsageError(
            f"set {key}: {type(value).__name__} is not a setting; give a number, text or a list"
        ) from None
    return f"{key}={text}"


def _plain(value: Any) -> Any:
    """Paths as text, and the numbers and arrays of numpy as numbers and lists."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return os.fspath(value)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
