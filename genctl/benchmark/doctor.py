"""The work of ``genctl doctor``: what genctl finds on this machine, and what a run would use."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

import torch

from genctl import __version__
from genctl.benchmark.images import random_images
from genctl.common import tensors
from genctl.common.cpu_load import is_overloaded
from genctl.common.devices import (
    MAX_RELATIVE_ERROR,
    auto_training_precision,
    choose_precision,
    device_name,
    flush_denormals,
    relative_error,
)
from genctl.common.errors import GenctlError
from genctl.common.registry import kinds
from genctl.config import config as configs
from genctl.config.build import build_model
from genctl.data.base import Data
from genctl.data.folder_cache import MAX_BYTES, cache_bytes, pixels_folder
from genctl.evaluation.judge_cache import judge_folder
from genctl.model import to_device
from genctl.training.engines.choice import auto_engine
from genctl.training.state import State
from genctl.training.step import Position, Step
from genctl.training.threads import ThreadChoice, known_threads, measure_threads

PACKAGES = ("torch", "torchvision", "numpy", "pillow", "pydantic", "safetensors", "scikit-learn",
            "tensorboard", "onnx", "onnxruntime")  # fmt: skip


TYPICAL = "mnist_cgan"
"""The preset whose training step tells how many threads are fastest."""


def examine(device: torch.device) -> dict[str, Any]:
    """Look at everything that a run on ``device`` would use.

    Returns:
        The JSON of ``genctl doctor``: versions (null: not installed), platform, cores, threads,
        training_threads (what ``auto`` means: number, reason, rates), busy (other processes use the
        cores), device (the chosen one), devices, data (the folder of each data set, or null),
        judges, pictures (the cache of decoded folders), problems (why the chosen device cannot be
        used).
    """
    device = torch.empty(0, device=device).device  # "cuda" becomes "cuda:0"
    devices = [_describe(one) for one in _devices()]
    (chosen,) = (entry for entry in devices if entry["device"] == str(device))
    problems = []
    if not chosen["correct"]:
        problems.append(
            f"{chosen['name']} gives wrong results in {chosen['precision']}: "
            f"the relative error of a convolution is {chosen['relative_error']:.1%}"
        )
    return {
        "versions": {"genctl": __version__, "python": platform.python_version()}
        | {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "threads": torch.get_num_threads(),
        "training_threads": asdict(_training_threads()),
        "busy": is_overloaded(device),
        "device": chosen["device"],
        "devices": devices,
        "data": _data(),
        "judges": _judges(),
        "pictures": _pictures(),
        "problems": problems,
    }


def _training_threads() -> ThreadChoice:
    """What ``training.threads: auto`` means on the CPU for a run of ``TYPICAL``."""
    device = torch.device("cpu")
    if known := known_threads("auto", device):
        return known
    config = configs.load(TYPICAL)
    images, precision = random_images(config), choose_precision("auto", device)
    model = to_device(build_model(config, len(images.classes)), device)
    with flush_denormals():
        step = Step(config, State(config.optimizer, model), images, precision)
        return measure_threads(step, Position(step=0, images=0, progress=0.0))


def _devices() -> list[torch.device]:
    devices = [torch.device("cpu")]
    if torch.cuda.is_available():
        devices += [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append(torch.device("mps", 0))
    return devices


def _describe(device: torch.device) -> dict[str, Any]:
    """What ``auto`` means for precision and engine on a device, and whether it computes right."""
    precision, precision_reason = auto_training_precision(device)
    engine, engine_reason = auto_engine(device)
    error = relative_error(precision, device)
    return {
        "device": str(device),
        "name": device_name(device),
        "precision": precision,
        "precision_reason": precision_reason,
        "relative_error": error,
        "correct": error <= MAX_RELATIVE_ERROR[precision],
        "engine": engine,
        "engine_reason": engine_reason,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _data() -> dict[str, str | None]:
    """The folder of each data set that needs no settings; null if it is not on this machine."""
    folders = {}
    for name, kind in kinds("data").items():
        if not any(field.is_required() for field in kind.model_fields.values()):
            folder = cast(Data, kind()).local_path()
            folders[name] = str(folder) if folder else None
    return folders


def _pictures() -> dict[str, Any]:
    """The cache of decoded folders: how much it holds, and may hold, in bytes."""
    return {"folder": str(pixels_folder()), "bytes": cache_bytes(), "limit": MAX_BYTES}


def _judges() -> dict[str, Any]:
    """The judges in the cache, each with its test accuracy; null for a damaged file."""
    folder = judge_folder()
    return {
        "folder": str(folder),
        "accuracy": {path.stem: _accuracy(path) for path in sorted(folder.glob("*.safetensors"))},
    }


def _accuracy(path: Path) -> float | None:
    try:
        return float(tensors.read(path, "judge")[1]["accuracy"])
    except (GenctlError, KeyError, TypeError, ValueError):
        return None
