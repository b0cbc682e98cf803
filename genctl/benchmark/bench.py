"""The work of ``genctl bench``: this machine, genctl beside a plain loop, in one process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from genctl.benchmark import drawing
from genctl.benchmark.compare import race
from genctl.benchmark.genctl_loop import GenctlLoop
from genctl.benchmark.hardware import flops, matrix_peak
from genctl.benchmark.plain import PlainLoop, with_torch_layers
from genctl.benchmark.startup import start_times
from genctl.common.devices import DTYPES, choose_precision, device_name, flush_denormals
from genctl.common.reporting import Reporter
from genctl.config import config as configs
from genctl.config.build import build_model
from genctl.config.config import Config
from genctl.data.base import Images
from genctl.data.preprocess import Preprocessing
from genctl.model import INFERENCE_ROLES
from genctl.networks.layers.normalize import normalize
from genctl.runs import model_file

STAND_INS = 10_000  # random images, where the real ones are not there
DRAWN = 10_000  # images that are drawn at a time
REPEATS = 5  # starts of each command


@dataclass(frozen=True)
class Question:
    """What to measure."""

    configs: tuple[str, ...] = ("seed_gan", "mnist_cgan")
    seconds: float = 30.0  # for each comparison, about
    workers: int = 0  # processes that load pictures for the plain loop


def bench(question: Question, device: torch.device, reporter: Reporter) -> dict[str, Any]:
    """Measure training and drawing with each config, and the start of commands.

    Nothing is downloaded: where the data of a config is not there, random images stand in for it.

    Returns:
        The JSON of ``genctl bench``: device, device_name, threads, torch, matrix_peak (FLOP/s by
        precision), training and sampling (an entry for each config), start_up.
    """
    settings = {source: configs.load(source) for source in question.configs}
    reporter.progress("the machine's matrix peak", 0.0)
    peaks = {precision: matrix_peak(precision, device) for precision in DTYPES}
    reporter.progress("the machine's matrix peak", 1.0)
    with TemporaryDirectory(prefix="genctl-bench-") as name:
        folder = Path(name)
        training = [
            _train(source, config, question, device, peaks, folder, reporter)
            for source, config in settings.items()
        ]
        sampling = [
            _sample(source, config, question, device, folder, reporter)
            for source, config in settings.items()
        ]
        start_up = _start(device, folder, partial(reporter.progress, "starting commands"))
    return {
        "device": device.type,
        "device_name": device_name(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "matrix_peak": peaks,
        "training": training,
        "sampling": sampling,
        "start_up": start_up,
    }


def _train(
    source: str,
    config: Config,
    question: Question,
    device: torch.device,
    peaks: dict[str, float],
    folder: Path,
    reporter: Reporter,
) -> dict[str, Any]:
    """Training images a second: genctl, the plain loop, and genctl's own step eager in fp32."""
    images, called = _images(config)
    precision = choose_precision(config.training.precision, device)
    own, eager = (
        GenctlLoop(config, images, device, each, folder, reporter) for each in (precision, "fp32")
    )
    rivals = {
        "genctl": _quick(own.step),
        "plain": PlainLoop(config, images, device, question.workers).step,
        "eager_fp32": _quick(eager.step),
    }
    cycle = getattr(config.objective, "r1_interval", 1)  # steps until a lazy penalty comes again
    told = partial(reporter.progress, f"training {source}")
    told(0.0)
    rates = race(rivals, device, question.seconds, cycle=cycle, told=told)
    per_image = flops(lambda: [eager.step() for _ in range(cycle)]) / (
        cycle * eager.trainer.images_per_step
    )
    return {
        "config": source,
        "data": called,
        "batch_size": config.training.batch_size,
        "precision": precision,
        "images_per_second": {name: rates.rate(name) for name in rivals},
        "ratio": {other: rates.ratio("genctl", other) for other in ("plain", "eager_fp32")},
        "flops_per_image": per_image,
        "share_of_peak": per_image * rates.rate("genctl") / peaks[precision],
    }


def _sample(
    source: str,
    config: Config,
    question: Question,
    device: torch.device,
    folder: Path,
    reporter: Reporter,
) -> dict[str, Any]:
    """Images drawn a second: genctl and the plain loop."""
    trained, plain = (model_file.read(_write_model(config, folder), device) for _ in range(2))
    with_torch_layers(plain.model)
    rivals = {
        "genctl": lambda: drawing.own(trained, DRAWN),
        "plain": lambda: drawing.plain(plain, DRAWN, device),
    }
    told = partial(reporter.progress, f"drawing with {source}")
    told(0.0)
    rates = race(rivals, device, question.seconds, rounds=3, told=told)
    return {
        "config": source,
        "images": DRAWN,
        "images_per_second": {name: rates.rate(name) for name in rivals},
        "ratio": {"plain": rates.ratio("genctl", "plain")},
    }


def _start(device: torch.device, folder: Path, told: Callable[[float], None]) -> dict[str, Any]:
    model = str(_write_model(configs.load("tiny"), folder))
    commands = {
        "--help": ["--help"],
        "configs check": ["configs", "check", "tiny"],
        "sample --n 64": ["sample", "--n", "64", "--run", model, "--device", str(device)],
    }
    return start_times(commands, folder, REPEATS, told)


def _images(config: Config) -> tuple[Images, str]:
    """The training images where they are at hand, else random ones; and what they are."""
    if config.data.found() is not None:
        return config.data.load("train"), config.data.kind
    shape, random = config.data.shape, torch.Generator().manual_seed(0)
    size = (STAND_INS, shape.channels, shape.size, shape.size)
    pixels = torch.randint(256, size, generator=random, dtype=torch.uint8)
    return Images(pixels, torch.arange(STAND_INS) % 10, tuple("0123456789")), "random images"


def _write_model(config: Config, folder: Path) -> Path:
    """A model file with the weights that training begins with."""
    path, classes = folder / "model.safetensors", tuple("0123456789")
    model = build_model(config, len(classes), INFERENCE_ROLES)
    random = torch.Generator().manual_seed(0)
    codes = normalize(torch.randn(len(classes), config.condition.code_dim, generator=random))
    model_file.write(
        path,
        model,
        codes,
        codes.clone(),
        model_file.ModelMetadata(config, classes, Preprocessing(), 0),
    )
    return path


def _quick(step: Callable[[], int]) -> Callable[[], int]:
    """The step as ``genctl train`` takes it, which takes tiny numbers for zero."""

    def quick() -> int:
        with flush_denormals():
            return step()

    return quick
