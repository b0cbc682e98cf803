"""What every command does that a signal ends: its code, one line, and not half of anything."""

import os
import resource
import subprocess
import sys
from pathlib import Path

from genctl.common.files import PREFIX
from tests.conftest import REPOSITORY, Finished
from tests.support.life import differing, live, outcome

RUN = Path("runs") / "run"
SOON = 5.0  # seconds: generous, a tiny run ends within a few tenths


def spent() -> float:
    """Seconds of computing by processes that have ended, however crowded the machine is."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def require_told(done: Finished, code: int, kept: str) -> None:
    """It left with 128 and the signal, and one line says what is kept and how to go on."""
    assert done.code == code, done.err
    require_no_traceback(done)
    (line,) = [line for line in done.err.splitlines() if "genctl: error:" in line]
    assert line.startswith("genctl: error: interrupted by SIG")
    assert kept in line
    assert line.endswith("; run the same command again to go on")


def require_no_traceback(done: Finished) -> None:
    """Nothing is said in the language of Python."""
    for sign in ("Traceback", "Exception", "Error"):
        assert sign not in done.err, done.err


def require_clean(folder: Path) -> None:
    """No unfinished file lies about."""
    assert list(folder.rglob(f"{PREFIX}*")) == []


def require_reference(folder: Path, untouched: Path, *more: str) -> None:
    """The same line again ends with the bits of a run that nothing happened to."""
    done = live(folder, *more)
    assert done.code == 0, done.err
    assert differing(outcome(folder / RUN), outcome(untouched)) == []
    require_clean(folder)


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


def loading(module: str, number: int, words: list[str], folder: Path) -> Finished:
    """Run genctl in a process of its own, to which a signal is sent when it loads ``module``."""
    code = WATCHED.format(module=module, number=int(number))
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False,
        cwd=folder, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, timeout=120,
    )  # fmt: skip
    return Finished(done.returncode, done.stdout, done.stderr)
