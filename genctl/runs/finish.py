"""What ``genctl finish`` does with a run: ask it, or say why there is nothing to ask."""

from __future__ import annotations

import shlex
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from genctl.common.errors import Diverged, MissingInput, Unavailable, UsageError
from genctl.runs import early_end as early_ends
from genctl.runs.early_end import EarlyEnd
from genctl.runs.lookup import find_run, list_runs
from genctl.runs.run import Run

POLL_SECONDS = 0.1
ANSWER_SECONDS = 3.0  # a run that trains answers sooner; one that loads its data does not


@dataclass(frozen=True)
class Answer:
    """What became of a request."""

    run: Run
    status: str  # of the run
    within: float  # seconds asked for
    early_end: EarlyEnd | None = None  # what the run made of it so far
    resume: str | None = None  # the command that continues a run that is not running

    def message(self) -> str:
        """One line for people."""
        if self.status == "complete":
            return f"{self.run} is already complete"
        if self.resume is not None:
            what = "end" if self.early_end else f"finish within {self.within:g} s"
            return f"{self.run} is not running; it will {what} once it is resumed: {self.resume}"
        if self.early_end is None:
            return (
                f"asked {self.run} to finish within {self.within:g} s; it plans its end as soon as "
                "it trains"
            )
        end = self.early_end
        return f"{self.run} finishes within {end.within:g} s, at {end.end:,} images"

    def values(self) -> dict[str, Any]:
        """The JSON of the command."""
        return {
            "run": str(self.run),
            "status": self.status,
            "within": self.within,
            "finish": asdict(self.early_end) if self.early_end else None,
            "resume": self.resume,
        }


def find_running(runs: Path) -> Run:
    """The only running run in the folder ``runs``.

    Raises:
        MissingInput: there is none.
        UsageError: there are several.
    """
    running = [run for run in list_runs(runs) if run.is_locked]
    if not running:
        raise MissingInput(
            f"cannot find a running run in {runs}: name one; `genctl runs` lists them"
        )
    if len(running) > 1:
        names = ", ".join(run.path.name for run in running)
        raise UsageError(f"cannot choose a run: {names} are running; name one")
    return running[0]


def named_run(name: str, runs: Path) -> Run:
    """The run of a name or path.

    Raises:
        MissingInput: there is none.
        UsageError: it is a model file without a run.
    """
    run = Run(Path(name).parent) if Path(name).is_file() else find_run(name, runs)
    if not run.exists:
        raise UsageError(f"cannot finish {name}: it is a model file, not a run; name the run")
    return run


def ask(run: Run, within: float) -> Answer:
    """Ask a run to finish within some seconds, unless it is complete or was asked before.

    A run that is not running keeps the request, and finishes once it is resumed.

    Raises:
        Diverged: there is no good model to finish with.
        BadContent: the record of an earlier request is damaged.
        CannotCreate, WriteFailed: the request cannot be written.
    """
    status = run.status()
    if status == "diverged":
        raise _diverged(run)
    if status == "complete":
        return Answer(run, status, within)
    early_end = early_ends.read_early_end(run)
    if early_end is None:
        early_ends.write_request(run, within)
    if status != "running":
        return Answer(run, status, within, early_end, _resume_command(run))
    deadline = time.monotonic() + ANSWER_SECONDS
    while early_end is None and time.monotonic() < deadline and run.is_locked:
        time.sleep(POLL_SECONDS)
        early_end = early_ends.read_early_end(run)
    return Answer(run, status, within, early_end)


def wait(run: Run) -> dict[str, Any]:
    """Wait until a run is over, and return its result.

    Raises:
        Unavailable: it did not complete.
        Diverged: it diverged.
    """
    while run.is_locked:
        time.sleep(POLL_SECONDS)
    status = run.status()
    if status == "diverged":
        raise _diverged(run)
    if status != "complete":
        raise Unavailable(
            f"cannot finish {run}: it is {status}; it will end once it is resumed: "
            f"{_resume_command(run)}"
        )
    return run.read_result()


def _diverged(run: Run) -> Diverged:
    return Diverged(
        f"cannot finish {run}: it diverged; its model is the best before that, and its samples "
        "show how good it is"
    )


def _resume_command(run: Run) -> str:
    words = ["genctl", "train", "--config", str(run.config)]
    words += ["--name", run.path.name, "--runs", str(run.path.parent)]
    max_time = run.read_result().get("max_time")
    words += ["--max-time", f"{max_time:g}"] if max_time else []
    return shlex.join(words)
