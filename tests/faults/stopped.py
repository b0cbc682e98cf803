"""Commands that are stopped by a signal: exit code, message, and no unfinished files."""

import os
import resource
import subprocess
import sys
from pathlib import Path

from genctl.common.files import PREFIX
from tests.conftest import REPOSITORY, Completed
from tests.support.processes import differing_parts, outcome, run_training

RUN = Path("runs") / "run"
MAX_SECONDS = 5.0  # of computing; a tiny run stops within a few tenths of a second


def children_cpu_seconds() -> float:
    """CPU seconds of all child processes that have ended, which a busy machine does not change."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def require_interrupted(done: Completed, code: int, kept: str) -> None:
    """The exit code is 128+n, and one line says what was saved and how to continue."""
    assert done.code == code, done.err
    require_no_traceback(done)
    (line,) = [line for line in done.err.splitlines() if "genctl: error:" in line]
    assert line.startswith("genctl: error: interrupted by SIG")
    assert kept in line
    assert line.endswith("; run the same command again to continue")


def require_no_traceback(done: Completed) -> None:
    """Python printed no exception."""
    for sign in ("Traceback", "Exception", "Error"):
        assert sign not in done.err, done.err


def require_no_partial_files(folder: Path) -> None:
    """There are no unfinished files."""
    assert list(folder.rglob(f"{PREFIX}*")) == []


def require_same_after_resuming(folder: Path, uninterrupted_run: Path, *more: str) -> None:
    """The same command again ends with the bits of an uninterrupted run."""
    done = run_training(folder, *more)
    assert done.code == 0, done.err
    assert differing_parts(outcome(folder / RUN), outcome(uninterrupted_run)) == []
    require_no_partial_files(folder)


SIGNAL_AT_IMPORT = """
import os, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Finder())
from genctl.cli.app import main
main()
"""


def run_signalled_at_import(module: str, number: int, words: list[str], folder: Path) -> Completed:
    """Run genctl in a process that sends itself a signal when it imports ``module``."""
    code = SIGNAL_AT_IMPORT.format(module=module, number=int(number))
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False,
        cwd=folder, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, timeout=120,
    )  # fmt: skip
    return Completed(done.returncode, done.stdout, done.stderr)
