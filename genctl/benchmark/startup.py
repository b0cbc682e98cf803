"""How long commands take to start, compared with ``import torch`` alone."""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from genctl.common.reporting import OnProgress

IMPORT_TORCH = ["-c", "import torch"]


def start_times(
    commands: dict[str, list[str]], folder: Path, repeats: int, on_progress: OnProgress
) -> dict[str, dict[str, float]]:
    """Time commands in new processes, each followed by a process that only imports torch.

    Args:
        commands: the arguments of genctl, by the name of the measurement.
        folder: the working directory of the processes.
        repeats: measurements of each command, after one that is not counted.
        on_progress: receives the share of the work that is done.

    Returns:
        For each command the medians of its ``seconds`` and of ``imports_of_torch``, its time as a
        multiple of the time to import torch.
    """
    times = {}
    for number, (name, arguments) in enumerate(commands.items()):
        pairs = []
        for _ in range(repeats + 1):
            command = _seconds(["-m", "genctl", *arguments], folder)
            pairs.append((command, _seconds(IMPORT_TORCH, folder)))
        times[name] = {
            "seconds": median(command for command, _ in pairs[1:]),
            "imports_of_torch": median(command / torch for command, torch in pairs[1:]),
        }
        on_progress((number + 1) / len(commands))
    return times


def _seconds(arguments: list[str], folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, check=True)
    return time.perf_counter() - started
