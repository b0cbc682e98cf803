"""The preset tiny in processes of its own, killed again and again: the bits of an untouched run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY, program
from scorecard import proves

LINE = ["train", "--config", "tiny", "--name", "run", "--quiet", "--set",
        "training.checkpoint_every=640"]  # fmt: skip


def killed_after(lines: int, folder: Path) -> int:
    """Train until metrics.jsonl has so many lines more than before, then SIGKILL."""
    metrics = folder / "runs" / "run" / "metrics.jsonl"
    goal = count(metrics) + lines
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen([sys.executable, "-m", "genctl", *LINE], cwd=folder, env=environment)
    while process.poll() is None and count(metrics) < goal:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    return process.wait()


def count(metrics: Path) -> int:
    return metrics.read_bytes().count(b"\n") if metrics.exists() else 0


def remains(folder: Path) -> dict[str, Any]:
    run = folder / "runs" / "run"
    records = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return {
        "model": (run / "model.safetensors").read_bytes(),
        "samples": {path.name: path.read_bytes() for path in run.glob("samples/*.png")},
        "metrics": [{k: v for k, v in record.items() if k != "seconds"} for record in records],
    }


@pytest.mark.slow
@proves("A2", "ER")
def test_a_run_killed_six_times_ends_with_the_bits_of_one_left_alone(tmp_path: Path) -> None:
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    for folder in (alone, killed):
        folder.mkdir()
    assert program(*LINE, cwd=alone).code == 0
    for lines in (1, 4, 1, 3, 5, 2):
        assert killed_after(lines, killed) == -signal.SIGKILL
    assert program(*LINE, cwd=killed).code == 0
    assert remains(killed) == remains(alone)
