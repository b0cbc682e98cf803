"""What a result depends on besides its config: versions, device, threads, data."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from pathlib import Path
from typing import Any

import torch

from genctl import __version__
from genctl.data.base import Images
from genctl.common.devices import device_name

CHANGES_BITS = ("genctl", "torch", "device", "device_name", "threads", "processes")
"""What a resumed run must have in common with its beginning to be bit for bit the same."""


def describe(
    device: torch.device, precision: str, data: Images, processes: int = 1
) -> dict[str, Any]:
    """The content of environment.json."""
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
        "precision": precision,
        "data": data.digest(),
        "git": _git_revision(),
    }


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What is different now and costs bit-exactness, as ``threads 2 -> 1``."""
    before = {"processes": 1} | before  # which was not noted while there could be no more
    return [
        f"{key} {before.get(key)} -> {now[key]}"
        for key in CHANGES_BITS
        if before.get(key) != now[key]
    ]


def is_crowded(device: torch.device) -> bool:
    """Whether other processes compete for the cores that the threads of this one want."""
    if device.type != "cpu" or torch.get_num_threads() == 1:
        return False
    try:
        load, _, _, running, _ = Path("/proc/loadavg").read_text().split()
    except (OSError, ValueError):
        return False  # no Linux; it is only a hint
    others = int(running.partition("/")[0]) - 1
    # Busy over the last minute, and at this moment: not just the end of an installation.
    return float(load) >= 0.7 and others + torch.get_num_threads() > (os.cpu_count() or 1)


def _git_revision() -> str | None:
    """The revision of a source checkout that genctl runs from, if it does."""
    here = Path(__file__).parents[1]
    if not (here.parent / ".git").exists():
        return None
    command = ["git", "-C", str(here), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None  # a note for the reader; a run does not fail for want of git
    return done.stdout.strip()
