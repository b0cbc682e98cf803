"""The work of ``genctl bench``: genctl and plain PyTorch side by side, in one process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from genctl.benchmark.compare import compare
from genctl.benchmark.genctl_loop import GenctlLoop
from genctl.benchmark.images import CLASSES, training_images
from genctl.benchmark.plain_loop import PlainLoop, with_torch_layers
from genctl.benchmark.sampling import genctl_samples, plain_samples
from genctl.benchmark.startup import start_times
from genctl.common.devices import choose_precision, device_name
from genctl.common.errors import UsageError
from genctl.common.reporting import Reporter
from genctl.conditions.text import Text
from genctl.config import config as configs
from genctl.config.build import build_model
from genctl.config.config import Config
from genctl.data.preprocess import Preprocessing
from genctl.model import INFERENCE_ROLES
from genctl.networks.layers.normalize import normalize
from genctl.runs import model_file
from genctl.training.engines.choice import auto_engine

NUM_SAMPLES = 10_000  # generated at a time
NUM_STARTS = 5  # of each command


@dataclass(frozen=True)
class BenchOptions:
    """What to measure, and for how long."""

    configs: tuple[str, ...] = ("seed_gan", "mnist_cgan")
    seconds: float = 30.0  # for each comparison, about
    workers: int = 0  # processes that load images for the plain loop


def run_bench(options: BenchOptions, device: torch.device, reporter: Reporter) -> dict[str, Any]:
    """Measure training and sampling with each config, and how long commands take to start.

    Nothing is downloaded: random images replace a data set that is not on this machine.

    Returns:
        The JSON of ``genctl bench``: device, device_name, threads, torch; training and sampling
        (a list with an entry for each config); start_up (an entry for each command).
    """
    settings = {source: configs.load(source) for source in options.configs}
    for source, config in settings.items():
        if isinstance(config.condition, Text):
            raise UsageError(
                f"--config {source}: the plain loop reads no captions, so there is nothing to "
                "compare with; name a config with another condition"
            )
    with TemporaryDirectory(prefix="genctl-bench-") as name:
        measure = _Measurements(options, device, Path(name), reporter)
        return {
            "device": device.type,
            "device_name": device_name(device),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "training": [measure.training(*item) for item in settings.items()],
            "sampling": [measure.sampling(*item) for item in settings.items()],
            "start_up": measure.start_up(),
        }


@dataclass(frozen=True)
class _Measurements:
    """The measurements of one benchmark."""

    options: BenchOptions
    device: torch.device
    folder: Path  # for files that are not kept
    reporter: Reporter

    def training(self, source: str, config: Config) -> dict[str, Any]:
        """Training images per second, genctl beside the plain loop."""
        images, data = training_images(config)
        precision = choose_precision(config.training.precision, self.device)
        engine = config.training.engine
        loop = GenctlLoop(config, images, self.device, precision, self.reporter)
        comparison = compare(
            {
                "genctl": loop.step,
                "plain": PlainLoop(config, images, self.device, self.options.workers).step,
            },
            self.device,
            self.options.seconds,
            cycle=getattr(config.objective, "r1_interval", 1),
            on_progress=partial(self.reporter.progress, f"training {source}"),
        )
        return {
            "config": source,
            "data": data,
            "batch_size": config.training.batch_size,
            "precision": precision,
            "engine": auto_engine(self.device)[0] if engine == "auto" else engine,
            "threads": loop.threads.number,
            "images_per_second": {name: comparison.rate(name) for name in ("genctl", "plain")},
            "speedup": comparison.speedup("genctl", "plain"),
        }

    def sampling(self, source: str, config: Config) -> dict[str, Any]:
        """Generated images per second, genctl beside the plain loop."""
        path = _write_untrained_model(config, self.folder)
        trained, plain = (model_file.read(path, self.device) for _ in range(2))
        with_torch_layers(plain.model)
        comparison = compare(
            {
                "genctl": lambda: genctl_samples(trained, NUM_SAMPLES),
                "plain": lambda: plain_samples(plain, NUM_SAMPLES, self.device),
            },
            self.device,
            self.options.seconds,
            rounds=3,
            on_progress=partial(self.reporter.progress, f"sampling with {source}"),
        )
        return {
            "config": source,
            "images": NUM_SAMPLES,
            "images_per_second": {name: comparison.rate(name) for name in ("genctl", "plain")},
            "speedup": comparison.speedup("genctl", "plain"),
        }

    def start_up(self) -> dict[str, dict[str, float]]:
        """How long commands take to start."""
        model = str(_write_untrained_model(configs.load("tiny"), self.folder))
        commands = {
            "--help": ["--help"],
            "configs check": ["configs", "check", "tiny"],
            "sample --n 64": ["sample", "--n", "64", "--run", model, "--device", str(self.device)],
        }
        report = partial(self.reporter.progress, "starting commands")
        return start_times(commands, self.folder, NUM_STARTS, report)


def _write_untrained_model(config: Config, folder: Path) -> Path:
    """A model file with freshly initialized weights."""
    path = folder / "model.safetensors"
    model = build_model(config, len(CLASSES), INFERENCE_ROLES)
    rng = torch.Generator().manual_seed(0)
    codes = normalize(torch.randn(len(CLASSES), config.condition.code_dim, generator=rng))
    metadata = model_file.ModelMetadata(config, CLASSES, Preprocessing(), images=0)
    model_file.write(path, model, codes, codes.clone(), metadata)
    return path
