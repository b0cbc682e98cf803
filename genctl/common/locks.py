"""Waiting for other processes that make the same file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from genctl.common.reporting import Reporter


@contextmanager
def waiting_lock(path: Path, reporter: Reporter, others: str) -> Iterator[None]:
    """Hold the lock ``path`` inside the block.

    Args:
        path: a file, which stays.
        reporter: is told if there is something to wait for.
        others: what the other process is there for: ``to train the judge``.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        reporter.info(f"waiting for another process {others}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
