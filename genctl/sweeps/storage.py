"""Where a search keeps its trials: a journal file, or a data base that machines share."""

from __future__ import annotations

import os
import re
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import optuna
from filelock import FileLock
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import Study, StudyDirection

from genctl.common import files
from genctl.common.errors import BadContent, GenctlError, Unavailable, UsageError

RETRY_SECONDS = (0.2, 0.5, 1.0)

PASSWORD = re.compile(r"(?<=://)[^/@]*@")


class SystemLock(JournalFileOpenLock):
    """A lock that the system releases when a process is killed; Optuna's own would stay."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._lock = FileLock(path)

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._lock.acquire()
        return True

    def release(self) -> None:
        """Leave it to others."""
        self._lock.release()


def open_study(where: str, name: str, sampler: BaseSampler, *, lower_is_better: bool) -> Study:
    """The study of a name, which is created if there is none.

    Args:
        where: the path of a journal file, or the URL of a data base.
        name: of the study.
        sampler: chooses the values of each trial.
        lower_is_better: which scores are good.

    Raises:
        Unavailable: the data base cannot be reached.
        BadContent: the journal is damaged.
        CannotCreate: the journal cannot be created.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    direction = StudyDirection.MINIMIZE if lower_is_better else StudyDirection.MAXIMIZE
    try:
        return _retried(
            lambda: optuna.create_study(
                storage=_storage(where),
                study_name=name,
                sampler=sampler,
                direction=direction,
                load_if_exists=True,
            ),
        )
    except (GenctlError, OSError):
        raise
    except Exception as error:  # of whatever driver the URL names
        why = _first_line(error)
        if "://" not in where:
            raise BadContent(
                f"cannot use {where}: {why}; rename it to begin a new search"
            ) from error
        raise Unavailable(
            f"cannot use --storage {without_password(where)}: {why}; check that it can be reached"
        ) from error


def _retried(open_it: Callable[[], Study]) -> Study:
    """Try again after a moment: of processes that create the same tables at once, one succeeds."""
    for seconds in RETRY_SECONDS:
        try:
            return open_it()
        except (GenctlError, OSError):
            raise
        except Exception:  # of whatever driver the URL names; the last one is the one to tell
            time.sleep(seconds)
    return open_it()


def without_password(where: str) -> str:
    """A URL as it may be shown."""
    return PASSWORD.sub("…@", where)


def _storage(where: str) -> BaseStorage:
    if "://" in where:
        try:
            return RDBStorage(where)
        except ImportError as error:
            raise UsageError(
                f"--storage {without_password(where)}: {_first_line(error)}; install its driver"
            ) from None
    path = Path(where)
    files.make_folder(path.parent)
    lock = SystemLock(path.with_name(f"{path.name}.lock"))
    with files.translate_errors(path):
        _remove_half_line(path, lock)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return JournalStorage(JournalFileBackend(str(path), lock))


def _remove_half_line(path: Path, lock: SystemLock) -> None:
    """Remove what a process that was killed, or a full disk, has left of a last line."""
    if not path.exists():
        return
    lock.acquire()
    try:
        content = path.read_bytes()
        if not content.endswith(b"\n"):
            os.truncate(path, content.rfind(b"\n") + 1)
    finally:
        lock.release()


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
