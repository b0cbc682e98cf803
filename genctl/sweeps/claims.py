"""Which process of a sweep works on a run: locks that the system releases with the process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from genctl.common import files

if TYPE_CHECKING:
    from filelock import BaseFileLock

FOLDER = ".sweep"
"""In the folder of the runs."""

LOCKS = "locks"
"""Their files stay: to remove one is to risk that two processes hold what they take for it."""


class Claims:
    """The names that this process has claimed, among all that share the folder of the runs."""

    def __init__(self, runs: Path) -> None:
        self.folder = runs / FOLDER
        self._held: dict[str, BaseFileLock] = {}

    def take(self, name: str) -> bool:
        """Claim a name; False if this process or another works on it already."""
        from filelock import FileLock, Timeout

        if name in self._held:
            return False
        files.make_folder(self.folder / LOCKS)
        lock = FileLock(self.folder / LOCKS / f"{name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        self._held[name] = lock
        return True

    def release(self, name: str) -> None:
        """Leave a name to others."""
        if lock := self._held.pop(name, None):
            lock.release()

    def release_all(self) -> None:
        """Leave all names to others."""
        for name in list(self._held):
            self.release(name)
