"""What every command does that a signal ends: its code, one line, and not half of anything."""

import os
import resource
import subprocess
import sys
from pathlib import Path

from genctl.common.files import PREFIX
from tests.conftest import REPOSITORY, Completed
from tests.support.processes import differing_parts, outcome, run_training

RUN = Path("runs") / "run"
MAX_SECONDS = 5.0  # seconds: generous, a tiny run ends within a few tenths


def children_cpu_seconds() -> float:
    """Seconds of computing by processes that have ended, however crowded the machine is."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def require_interrupted(done: Completed, code: int, kept: str) -> None:
    """It left with 128 and the signal, and one line says what is kept and how to go on."""
    assert done.code == code, done.err
    require_no_traceback(done)
    (line,) = [line for line in done.err.splitlines() if "genctl: error:" in line]
    assert line.startswith("genctl: error: interrupted by SIG")
    assert kept in line
    assert line.endswith("; run the same command again to go on")


def require_no_traceback(done: Completed) -> None:
    """Nothing is said in the language of Python."""
    for sign in ("Traceback", "Exception", "Error"):
        assert sign not in done.err, done.err


def require_no_partial_files(folder: Path) -> None:
    """No unfinished file lies about."""
    assert list(folder.rglob(f"{PREFIX}*")) == []


def require_same_after_resuming(folder: Path, uninterrupted_run: Path, *more: str) -> None:
    """The same line again ends with the bits of a run that nothing happened to."""
    done = run_training(folder, *more)
    assert done.code == 0, done.err
    assert differing_parts(outcome(folder / RUN), outcome(uninterrupted_run)) == []
    require_no_partial_files(folder)


WATCHED = """
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Watch())
from genctl.cli.app import main
main()
"""


def run_signalled_at_import(module: str, number: int, words: list[str], folder: Path) -> Completed:
    """Run genctl in a process of its own, to which a signal is sent when it loads ``module``."""
    code = WATCHED.format(module=module, number=int(number))
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False,
        cwd=folder, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, timeout=120,
    )  # fmt: skip
    return Completed(done.returncode, done.stdout, done.stderr)
