"""The soak test can fail: it finds growth, and exit codes that no fault explains."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import soak
from tests.support.soak import Process, growth, inject


def process_with(memory: list[float], files: list[int]) -> Process:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True)
    process.communicate("\n")
    return Process(process, memory=memory, files=files)


def test_constant_memory_and_files_are_no_growth() -> None:
    memory = [100.0 * (second > 50) + 300 + second % 2 for second in range(160)]
    assert growth(process_with(memory, [3, 4] * 80)) == []


def test_memory_that_grows_slowly_is_found() -> None:
    memory = [300.0 + second for second in range(160)]
    assert growth(process_with(memory, [4] * 160)) == ["memory grew from 372.0 to 447.0 MB"]


def test_a_file_that_stays_open_is_found() -> None:
    assert growth(process_with([300.0] * 160, [4] * 110 + [5] * 50)) == [
        "open files grew from 4 to 5"
    ]


def test_a_running_process_is_measured() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True)
    lived = Process(process)
    assert lived.survives(1.5)
    assert len(lived.memory) == len(lived.files) >= 1
    assert inject(lived, "SIGTERM", random.Random(0)) == {-15, 143}
    assert lived.wait() == -signal.SIGTERM
    assert not lived.survives(0)
    process.communicate()


def test_an_unexplained_exit_code_ends_the_soak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soak, "start", lambda *_: process_with([], []))
    monkeypatch.setattr(Process, "wait", lambda self: 1)
    with pytest.raises(SystemExit, match=r"expected exit \[0\], found 1"):
        soak.train_under_faults(tmp_path, 100, seed=0, max_pause=1)


@pytest.mark.slow
def test_a_short_soak_test_passes(tmp_path: Path) -> None:
    assert soak.soak(tmp_path, 60, seed=0) == 0
