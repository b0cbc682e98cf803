"""What a result depends on besides its config: versions, device, threads and data."""

from __future__ import annotations

import platform
import socket
import subprocess
from pathlib import Path
from typing import Any

import torch

from genctl import __version__
from genctl.common.devices import device_name
from genctl.data.base import Images

AFFECTS_BITS = ("genctl", "torch", "device", "device_name", "threads", "processes", "cuda",
                "cudnn", "deterministic")  # fmt: skip
"""A resumed run is bit-exact only if these are the same as when it began."""


def describe(
    device: torch.device,
    precision: str,
    data: Images,
    parameters: dict[str, int],
    processes: int = 1,
    deterministic: bool = False,
) -> dict[str, Any]:
    """The content of environment.json.

    Args:
        device: what the run computes on.
        precision: "fp32" or "bf16".
        data: the training images.
        parameters: the number of parameters of each role.
        processes: how many train together.
        deterministic: ``training.deterministic``; without it a CPU alone repeats its bits.
    """
    return {
        "genctl": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "device": device.type,
        "device_name": device_name(device),
        "threads": torch.get_num_threads(),
        "processes": processes,
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "cudnn": torch.backends.cudnn.version() if device.type == "cuda" else None,
        "deterministic": device.type == "cpu" or deterministic,
        "precision": precision,
        "data": data.digest(),
        "parameters": parameters,
        "git": _git_revision(),
    }


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The differences that make a resumed run inexact, such as ``threads 2 -> 1``.

    What an earlier version of genctl did not record is taken to be as now.
    """
    return [
        f"{key} {before[key]} -> {now[key]}"
        for key in AFFECTS_BITS
        if key in before and before[key] != now[key]
    ]


def _git_revision() -> str | None:
    """The git revision, if genctl runs from a source checkout."""
    here = Path(__file__).parents[1]
    if not (here.parent / ".git").exists():
        return None
    command = ["git", "-C", str(here), "describe", "--always", "--dirty"]
    try:
        completed = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None  # only recorded for the reader; a run does not need git
    return completed.stdout.strip()
