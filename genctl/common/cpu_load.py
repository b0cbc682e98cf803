"""Whether other processes use the CPU cores that this one needs."""

import os
from pathlib import Path

import torch


def is_overloaded(device: torch.device) -> bool:
    """Whether the threads of this process compete with other processes for cores; Linux only."""
    if device.type != "cpu" or torch.get_num_threads() == 1:
        return False
    try:
        load, _, _, runnable, _ = Path("/proc/loadavg").read_text().split()
    except (OSError, ValueError):
        return False
    others = int(runnable.partition("/")[0]) - 1
    # Both over the last minute and now: an installation may just have ended.
    return float(load) >= 0.7 and others + torch.get_num_threads() > (os.cpu_count() or 1)
