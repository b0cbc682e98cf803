"""genctl runs --watch, on a terminal and without one."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.test_runs import make
from tests.conftest import REPOSITORY, RunGenctl

CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A genctl on a terminal of its own."""

    def __init__(self, process: subprocess.Popen[bytes], handle: int) -> None:
        self.process, self.handle, self.shown = process, handle, ""

    def wait_for(self, text: str) -> None:
        """Read until the text was shown."""
        deadline = time.monotonic() + 60
        while text not in CODES.sub("", self.shown):
            assert time.monotonic() < deadline, self.shown
            self._read()

    def end(self, number: int) -> int:
        """Send a signal; returns the exit code, once all was read."""
        self.process.send_signal(number)
        while self.process.poll() is None:
            self._read()
        while select.select([self.handle], [], [], 0.1)[0]:
            if not self._read():
                break
        return self.process.returncode

    def _read(self) -> bool:
        if not select.select([self.handle], [], [], 0.05)[0]:
            return False
        try:
            content = os.read(self.handle, 65536).decode(errors="replace")
        except OSError:  # Linux says so at the end
            return False
        self.shown += content
        return bool(content)


@contextmanager
def watching(folder: Path) -> Iterator[Terminal]:
    """``genctl runs --watch`` in ``folder``."""
    own, other = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "genctl", "runs", "--watch"], cwd=folder, stdin=other,
        stdout=other, stderr=other, start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "TERM": "xterm", "COLUMNS": "120"},
    )  # fmt: skip
    os.close(other)
    try:
        yield Terminal(process, own)
    finally:
        process.kill()
        process.wait()
        os.close(own)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    make(tmp_path / "runs", "first", metrics=[{"images": 320, "seconds": 1.5}])
    return tmp_path


def test_the_table_follows_the_runs_until_ctrl_c(runs: Path) -> None:
    with watching(runs) as terminal:
        terminal.wait_for("1 interrupted; Ctrl-C ends")
        result = {"status": "complete", "images": 6400, "seconds": 12.5}
        (runs / "runs/first/result.json").write_text(json.dumps(result))
        make(runs / "runs", "second", "training.seed=1")
        terminal.wait_for("1 complete, 1 interrupted")
        assert terminal.end(signal.SIGINT) == 0
    lines = CODES.sub("", terminal.shown).split("Ctrl-C ends")[-1].split("\r\n")
    shown = [line.split()[:3] for line in lines if line.strip()]
    assert shown[-2:] == [["first", "complete", "6,400"], ["second", "interrupted", "0"]]
    assert "Traceback" not in terminal.shown
    assert terminal.shown.rfind("\x1b[?25h") >= terminal.shown.rfind("\x1b[?25l")  # the cursor


def test_another_signal_is_an_error_with_its_exit_code(runs: Path) -> None:
    with watching(runs) as terminal:
        terminal.wait_for("Ctrl-C ends")
        assert terminal.end(signal.SIGTERM) == 143
    assert "interrupted by SIGTERM" in terminal.shown


def test_it_waits_for_the_first_run(tmp_path: Path) -> None:
    with watching(tmp_path) as terminal:
        terminal.wait_for("no runs yet")
        make(tmp_path / "runs", "first")
        terminal.wait_for("1 interrupted")
        assert terminal.end(signal.SIGINT) == 0


def test_without_a_terminal_the_table_is_printed_once(genctl: RunGenctl, runs: Path) -> None:
    done = genctl("runs", "--watch")
    assert (done.code, done.out) == (0, genctl("runs").out)


@pytest.mark.parametrize("option", [["--json"], ["--csv"], ["--sheet", "a.png"]])
def test_other_outputs_are_refused(genctl: RunGenctl, runs: Path, option: list[str]) -> None:
    assert genctl("runs", "--watch", *option).code == 2
