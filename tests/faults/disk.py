"""Every moment at which a run touches its folder: around each call and in the middle of each write.

The calls are intercepted where Python makes them, so genctl itself needs no hooks. Only the main
thread is observed: the calls of other threads, such as TensorBoard's, come in no fixed order.
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

Callback = Callable[[str], None]


def observed(callback: Callback) -> Fault:
    """Call ``callback`` at every moment, with ``after replace runs/run/a`` for instance."""

    def happen() -> None:
        observer = _Observer(callback)
        for call in CALLS:
            setattr(os, call, observer.wrap(call, getattr(os, call)))
        io.open = builtins.open = observer.wrap_open(io.open)  # type: ignore[assignment]

    return happen


def log_moments(path: Path) -> Fault:
    """Write every moment into a file, one per line."""

    def happen() -> None:
        log = path.open("w")  # opened before files are observed
        observed(lambda moment: print(moment, file=log, flush=True))()

    return happen


def killed_at(number: int) -> Fault:
    """SIGKILL at the ``number``-th moment, counted from 1."""
    moments = [0]

    def count(_: str) -> None:
        moments[0] += 1
        if moments[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return observed(count)


def killed_when(moment: str, name: str) -> Fault:
    """SIGKILL at the first such moment ("before replace") of a path that ends in ``name``."""

    def compare(found: str) -> None:
        if found.startswith(moment) and found.endswith(name):
            os.kill(os.getpid(), signal.SIGKILL)

    return observed(compare)


class _Observer:
    def __init__(self, callback: Callback) -> None:
        self._callback = callback
        self._paths: dict[int, str] = {}  # of the open files, by file descriptor
        self._thread = threading.current_thread()

    def wrap(self, call: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, observed before and after it runs."""

        def wrapped(*words: Any, **more: Any) -> Any:
            target = " ".join(filter(None, map(self._name, words[:2])))
            self.notify("before", call, target)
            found = function(*words, **more)
            if call == "open":
                self._paths[found] = target
            self.notify("after", call, target)
            if call == "close":
                self._paths.pop(words[0], None)
            return found

        return wrapped

    def wrap_open(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """``open``, so that writes to its files are observed."""

        def wrapped(file: Any, mode: str = "r", *words: Any, **more: Any) -> Any:
            target = self._name(file)
            if not target or not set(mode) & set("wax+"):
                return function(file, mode, *words, **more)
            self.notify("before", "open", target)
            found = _ObservedFile(function(file, mode, *words, **more), target, self)
            self._paths[found.fileno()] = target
            self.notify("after", "open", target)
            return found

        return wrapped

    def notify(self, when: str, call: str, target: str) -> None:
        """Report one moment, if it concerns the folder of runs."""
        if target and threading.current_thread() is self._thread:
            self._callback(f"{when} {call} {target}")

    def _name(self, word: Any) -> str:
        """The path below the folder of runs that an argument stands for; empty for any other."""
        path = self._paths.get(word, "") if isinstance(word, int) else word
        if not isinstance(path, str | os.PathLike) or not str(path):
            return ""
        below = os.path.relpath(path)
        if Path(below).parts[0] != FOLDER:
            return ""
        folder, found, _ = below.partition(PREFIX)  # the rest of such a name is random
        return folder + found


class _ObservedFile:
    """A file that is being written."""

    def __init__(self, file: Any, target: str, observer: _Observer) -> None:
        self._file, self._target, self._observer = file, target, observer

    def write(self, content: Any) -> int:
        """Write and flush one half, then the other: buffered bytes could not be torn."""
        half = len(content) // 2
        self._observer.notify("before", "write", self._target)
        self._file.write(content[:half])
        self._file.flush()
        self._observer.notify("during", "write", self._target)
        self._file.write(content[half:])
        self._file.flush()
        self._observer.notify("after", "write", self._target)
        return len(content)

    def flush(self) -> None:
        self._observer.notify("before", "flush", self._target)
        self._file.flush()
        self._observer.notify("after", "flush", self._target)

    def close(self) -> None:
        self._observer.notify("before", "close", self._target)
        self._file.close()
        self._observer.notify("after", "close", self._target)

    def __enter__(self) -> "_ObservedFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
