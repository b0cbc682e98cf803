"""How long commands take to start, beside what loading torch alone takes."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

IMPORT_TORCH = ["-c", "import torch"]


def start_times(
    commands: dict[str, list[str]], folder: Path, repeats: int, told: Callable[[float], None]
) -> dict[str, dict[str, float]]:
    """Time commands in processes of their own, each beside ``import torch``, in turn.

    Args:
        commands: what to give to genctl, by name.
        folder: where to start them.
        repeats: how often, besides a first time that is not counted.
        told: the share that is done, 0 to 1.

    Returns:
        For each command its ``seconds`` and how many ``imports_of_torch`` that is: medians.
    """
    found = {}
    for number, (name, arguments) in enumerate(commands.items()):
        pairs = []
        for _ in range(repeats + 1):
            own = _seconds(["-m", "genctl", *arguments], folder)
            pairs.append((own, _seconds(IMPORT_TORCH, folder)))
        found[name] = {
            "seconds": median(own for own, _ in pairs[1:]),
            "imports_of_torch": median(own / torch for own, torch in pairs[1:]),
        }
        told((number + 1) / len(commands))
    return found


def _seconds(arguments: list[str], folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, check=True)
    return time.perf_counter() - started
