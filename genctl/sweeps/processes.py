"""The commands of genctl that a sweep starts, each in a process of its own."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

GENCTL = (sys.executable, "-m", "genctl")

PR_SET_PDEATHSIG = 1  # of Linux: prctl(2)


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    exit_code: int  # 128 + n after signal n
    json: dict[str, Any]
    messages: list[str]  # lines of stderr: warnings and errors

    @property
    def error(self) -> str:
        """Why it failed, in one line."""
        found = [line for line in self.messages if line.startswith("genctl: error: ")]
        if found:
            return found[-1].removeprefix("genctl: error: ")
        return self.messages[-1] if self.messages else f"exit code {self.exit_code}"

    @property
    def warnings(self) -> list[str]:
        """What it warned of."""
        start = "genctl: warning: "
        return [line.removeprefix(start) for line in self.messages if line.startswith(start)]


class Command:
    """A running command.

    It ends with a checkpoint when this process asks it to or, on Linux, dies. A signal from the
    terminal reaches this process alone, which passes it on once.
    """

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        # Files, because a pipe that nobody reads would make a talkative command wait.
        self._out: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._err: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self.process = subprocess.Popen(
            [*GENCTL, *words, "--json", "--quiet"],
            stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._err,
            env=os.environ | environment, start_new_session=True,
            preexec_fn=_end_with_parent(),
        )  # fmt: skip

    def poll(self) -> Outcome | None:
        """How the command ended; None while it runs."""
        if self.process.poll() is None:
            return None
        code = self.process.returncode
        return Outcome(code if code >= 0 else 128 - code, self._json(), _lines(self._err))

    def terminate(self) -> None:
        """Ask the command to end; one that trains writes a checkpoint first."""
        self.process.terminate()

    def close(self) -> None:
        """Wait until the command has ended, and forget what it printed."""
        self.process.wait()
        self._out.close()
        self._err.close()

    def _json(self) -> dict[str, Any]:
        lines = _lines(self._out)
        try:
            content = json.loads(lines[-1]) if lines else {}
        except ValueError:
            return {}  # killed while it printed
        return content if isinstance(content, dict) else {}


def _lines(file: IO[str]) -> list[str]:
    file.seek(0)
    return file.read().splitlines()


def _end_with_parent() -> Callable[[], None] | None:
    """What makes a new process end with a checkpoint when this one dies; Linux only.

    Elsewhere the process trains on, and a sweep that is started again waits for it.
    """
    if not sys.platform.startswith("linux"):
        return None
    parent, prctl = os.getpid(), ctypes.CDLL(None).prctl

    def before_start() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it has died already
            os._exit(128 + signal.SIGTERM)

    return before_start
