"""Sweeps of a stand-in for genctl, in processes of their own."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY, Completed

RATES = "optimizer.learning_rate"
OPTIONS = ("--config", "tiny", "--images", "100")


def start_sweep(folder: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    """Start a sweep in ``folder``."""
    folder.mkdir(exist_ok=True)
    clean = {name: text for name, text in os.environ.items() if name != "OMP_NUM_THREADS"}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.fake_genctl", "sweep", *OPTIONS, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
        env=clean | {"PYTHONPATH": str(REPOSITORY)} | environment,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> Completed:
    """Wait for a sweep."""
    out, err = process.communicate(timeout=120)
    return Completed(process.returncode, out, err)


def sweep(folder: Path, *words: str, **environment: str) -> Completed:
    """Run a sweep in ``folder``."""
    return finish(start_sweep(folder, *words, **environment))


def kill_sweep(folder: Path, events: int, *words: str) -> bool:
    """Run a sweep that is killed at an event; whether it was, before its end.

    Args:
        folder: in which it runs.
        events: steps of training and starts of commands, by all sweeps in that folder together.
        words: of the command line.
    """
    process = start_sweep(folder, *words)
    while process.poll() is None:
        if len(trained(folder)) + len(calls(folder)) >= events:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def trained(folder: Path) -> list[str]:
    """The run and the number of images of each step, in the order in which they were taken."""
    log = folder / "log"
    return log.read_text().splitlines() if log.exists() else []


def require_trained_once(folder: Path) -> None:
    """No image was trained on twice, and none was left out."""
    steps = trained(folder)
    assert len(set(steps)) == len(steps)
    furthest: dict[str, int] = {}
    for step in steps:
        run, images = step.split()
        assert int(images) == furthest.get(run, 0) + 10
        furthest[run] = int(images)


def require_scored_once(folder: Path) -> None:
    """No run was scored twice at the same number of images."""
    scored = (folder / "scored").read_text().splitlines()
    assert len(set(scored)) == len(scored)


def table(done: Completed) -> list[dict[str, Any]]:
    """The rows of ``--csv``, by run, without the time that they took."""
    rows = list(csv.DictReader(io.StringIO(done.out)))
    return sorted(rows, key=lambda row: row["run"])


def plan_codes(folder: Path, *codes: int | str) -> None:
    """Let the first commands of a sweep end with these exit codes."""
    folder.mkdir(exist_ok=True)
    (folder / "codes.json").write_text(json.dumps(codes))


def calls(folder: Path) -> list[str]:
    """The commands that were started, with their numbers of threads."""
    path = folder / "calls"
    return path.read_text().splitlines() if path.exists() else []
