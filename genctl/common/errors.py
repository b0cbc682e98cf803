"""Errors that a user can correct, each class with the exit code that scripts rely on."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
OUT_OF_MEMORY = (
    "allocate memory",  # torch; the system, when it loads a library or starts a process
    "CUDA error: out of memory",
    "STATUS_ALLOC_FAILED",  # cuBLAS, cuDNN
    "failed to map segment",
    "bad_alloc",
    "could not create a primitive",  # oneDNN
    "could not create a memory object",
)
"""Texts of errors that mean that memory is full, from libraries without a class for it."""


class GenctlError(Exception):
    """Something that a user can correct.

    The message is one line of the form ``<what> <which file or key>: <why>; <what to do>``.
    """

    exit_code = 1
    result: dict[str, Any] | None = None
    """What ``--json`` prints besides the message."""

    def lines(self) -> list[str]:
        """The messages to print, one line each."""
        return [str(self)]


class UsageError(GenctlError):
    """The command line asks for something impossible."""

    exit_code = 2


class ConfigError(UsageError):
    """One or more settings are wrong; every problem is listed."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems

    def lines(self) -> list[str]:
        """The messages to print, one line for each problem."""
        return self.problems


class Diverged(GenctlError):
    """The losses or weights of a run are no longer finite; a retry would end the same way."""

    exit_code = 3


class BadContent(GenctlError):
    """A file exists, but its content cannot be used."""

    exit_code = 65


class BrokenFiles(BadContent):
    """Several files cannot be used; they are listed."""

    MAX_LISTED = 50

    def __init__(self, message: str, broken: dict[str, str]) -> None:
        super().__init__(message)
        self.broken = broken  # why, by name

    def lines(self) -> list[str]:
        """The message, then one line for each of the first files."""
        listed = [f"{name}: {why}" for name, why in self.broken.items()][: self.MAX_LISTED]
        more = len(self.broken) - len(listed)
        return [str(self), *listed, *([f"and {more:,} more"] if more else [])]


class TooNew(BadContent):
    """A file is intact, but was written by a later version of genctl."""


class MissingInput(GenctlError):
    """A file does not exist or cannot be read."""

    exit_code = 66


class Unavailable(GenctlError):
    """A device or a download is not available now."""

    exit_code = 69


class OutOfMemory(GenctlError):
    """The work does not fit into the memory of the machine or of its GPU."""

    exit_code = 71


class CannotCreate(GenctlError):
    """An output cannot be created at its place."""

    exit_code = 73


class WriteFailed(GenctlError):
    """A file could not be written completely; the old one is untouched."""

    exit_code = 74


class Locked(GenctlError):
    """Another process is using the run directory."""

    exit_code = 75


class Interrupted(GenctlError):
    """A signal ended the work after its state was saved."""

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def user_error(error: Exception) -> GenctlError | None:
    """The error to show to users: a ``GenctlError`` itself, or what another error means."""
    if isinstance(error, GenctlError):
        return error
    is_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if is_memory or any(text in str(error) for text in OUT_OF_MEMORY):
        return OutOfMemory(
            "out of memory: the work does not fit; ask for fewer images at a time "
            "(training.batch_size, --batch-size, --n), or give the process more memory"
        )
    if not isinstance(error, OSError) or error.filename is None:
        return None
    if error.errno in DISK_FULL:
        return WriteFailed(f"cannot write {error.filename}: {error.strerror}; make room")
    return MissingInput(f"cannot use {error.filename}: {error.strerror}; check the path")


@contextmanager
def user_errors() -> Iterator[None]:
    """Raise what an error in the block means for users, for callers who print nothing.

    Raises:
        GenctlError: instead of errors of the system, and of a full memory.
    """
    try:
        yield
    except Exception as error:
        known = user_error(error)
        if known is None or known is error:
            raise
        raise known from error
