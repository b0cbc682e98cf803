"""Every moment at which a run touches its folder: before and after each call, amid each write.

Calls are heard where Python makes them, so that the program itself needs no hooks. Threads besides
the first one, as TensorBoard's, have moments that nobody can count; they are left out.
"""

import builtins
import io
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from genctl.common.files import PREFIX
from tests.support.processes import Fault

CALLS = ("open", "close", "fsync", "fchmod", "ftruncate", "replace", "rename", "unlink", "remove",
         "mkdir", "rmdir")  # fmt: skip
FOLDER = "runs"

Hear = Callable[[str], None]


def heard(hear: Hear) -> Fault:
    """Tell ``hear`` of every moment, as ``after replace runs/run/.genctl-part- runs/run/a``."""

    def happen() -> None:
        ear = _Ear(hear)
        for call in CALLS:
            setattr(os, call, ear.around(call, getattr(os, call)))
        io.open = builtins.open = ear.opening(io.open)  # type: ignore[assignment]

    return happen


def written_down(path: Path) -> Fault:
    """Write every moment into a file, a line for each."""

    def happen() -> None:
        notes = path.open("w")  # before the ear is there
        heard(lambda moment: print(moment, file=notes, flush=True))()

    return happen


def killed_at(number: int) -> Fault:
    """SIGKILL at the ``number``-th moment, counted from 1."""
    moments = [0]

    def count(_: str) -> None:
        moments[0] += 1
        if moments[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return heard(count)


def killed_when(moment: str, name: str) -> Fault:
    """SIGKILL at the first such moment, as "before replace", of a file whose path ends so."""

    def compare(heard_of: str) -> None:
        if heard_of.startswith(moment) and heard_of.endswith(name):
            os.kill(os.getpid(), signal.SIGKILL)

    return heard(compare)


class _Ear:
    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._paths: dict[int, str] = {}  # of the files that are open, by number
        self._thread = threading.current_thread()

    def around(self, call: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with what is heard before and after it."""

        def told(*words: Any, **more: Any) -> Any:
            target = " ".join(filter(None, map(self._name, words[:2])))
            self.tell("before", call, target)
            found = function(*words, **more)
            if call == "open":
                self._paths[found] = target
            self.tell("after", call, target)
            if call == "close":
                self._paths.pop(words[0], None)
            return found

        return told

    def opening(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """``open``, whose files are heard when they are written to."""

        def told(file: Any, mode: str = "r", *words: Any, **more: Any) -> Any:
            target = self._name(file)
            if not target or not set(mode) & set("wax+"):
                return function(file, mode, *words, **more)
            self.tell("before", "open", target)
            found = _Heard(function(file, mode, *words, **more), target, self)
            self._paths[found.fileno()] = target
            self.tell("after", "open", target)
            return found

        return told

    def tell(self, when: str, call: str, target: str) -> None:
        """Tell of one moment, if it is one of the run's folder."""
        if target and threading.current_thread() is self._thread:
            self._hear(f"{when} {call} {target}")

    def _name(self, word: Any) -> str:
        """The path below the folder of runs that an argument means; empty where it means none."""
        path = self._paths.get(word, "") if isinstance(word, int) else word
        if not isinstance(path, str | os.PathLike) or not str(path):
            return ""
        below = os.path.relpath(path)
        if Path(below).parts[0] != FOLDER:
            return ""
        folder, found, _ = below.partition(PREFIX)  # the rest of such a name is random
        return folder + found


class _Heard:
    """A file that is being written."""

    def __init__(self, file: Any, target: str, ear: _Ear) -> None:
        self._file, self._target, self._ear = file, target, ear

    def write(self, content: Any) -> int:
        """Write one half, then the other, each at once: what is held back cannot be torn."""
        half = len(content) // 2
        self._ear.tell("before", "write", self._target)
        self._file.write(content[:half])
        self._file.flush()
        self._ear.tell("amid", "write", self._target)
        self._file.write(content[half:])
        self._file.flush()
        self._ear.tell("after", "write", self._target)
        return len(content)

    def flush(self) -> None:
        self._ear.tell("before", "flush", self._target)
        self._file.flush()
        self._ear.tell("after", "flush", self._target)

    def close(self) -> None:
        self._ear.tell("before", "close", self._target)
        self._file.close()
        self._ear.tell("after", "close", self._target)

    def __enter__(self) -> "_Heard":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
