"""The work of ``genctl doctor``: what genctl finds on this machine, and what it makes of it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

import torch

from genctl import __version__
from genctl.common import tensors
from genctl.common.devices import (
    MAX_RELATIVE_ERROR,
    auto_training_precision,
    device_name,
    relative_error,
)
from genctl.common.errors import GenctlError
from genctl.common.registry import kinds
from genctl.data.base import Data
from genctl.evaluation.cache import cache_folder
from genctl.runs.environment import is_crowded
from genctl.training.engines.choice import auto_engine

PACKAGES = ("torch", "torchvision", "numpy", "pillow", "pydantic", "safetensors", "scikit-learn",
            "tensorboard", "onnx", "onnxruntime")  # fmt: skip


def examine(chosen: torch.device) -> dict[str, Any]:
    """Look at everything that a run would use.

    Returns:
        The JSON of ``genctl doctor``: versions (null for what is not installed), platform, cores,
        threads, busy, device (the chosen one), devices, data (where each data set lies, or null),
        judges, problems (what makes the chosen device unusable).
    """
    devices = [_device(device) for device in _devices()]
    chosen = torch.empty(0, device=chosen).device  # with its number
    (own,) = (entry for entry in devices if entry["device"] == str(chosen))
    return {
        "versions": {"genctl": __version__, "python": platform.python_version()}
        | {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "threads": torch.get_num_threads(),
        "busy": is_crowded(chosen),
        "device": own["device"],
        "devices": devices,
        "data": _data(),
        "judges": _judges(),
        "problems": [
            f"{own['name']} computes wrongly in {own['precision']}: off by {own['deviation']:.1%}"
        ]
        if not own["right"]
        else [],
    }


def _devices() -> list[torch.device]:
    found = [torch.device("cpu")]
    if torch.cuda.is_available():
        found += [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append(torch.device("mps", 0))
    return found


def _device(device: torch.device) -> dict[str, Any]:
    """What `training.precision` and `training.engine` become there, and how exact that is."""
    precision, why = auto_training_precision(device)
    engine, why_engine = auto_engine(device)
    off = relative_error(precision, device)
    return {
        "device": str(device),
        "name": device_name(device),
        "precision": precision,
        "why": why,
        "deviation": off,
        "engine": engine,
        "why_engine": why_engine,
        "right": off <= MAX_RELATIVE_ERROR[precision],
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _data() -> dict[str, str | None]:
    """Where each data set lies that has a place of its own; null for one that is not there."""
    found = {}
    for name, kind in kinds("data").items():
        if not any(field.is_required() for field in kind.model_fields.values()):
            settings = cast(Data, kind())
            found[name] = str(path) if (path := settings.found()) else None
    return found


def _judges() -> dict[str, Any]:
    """The judges in the cache, each with its accuracy; null for a damaged one."""
    folder = cache_folder()
    return {
        "folder": str(folder),
        "accuracy": {path.stem: _accuracy(path) for path in sorted(folder.glob("*.safetensors"))},
    }


def _accuracy(path: Path) -> float | None:
    try:
        return float(tensors.read(path, "judge")[1]["accuracy"])
    except (GenctlError, KeyError, TypeError, ValueError):
        return None
