"""What can go wrong for a user, each kind with the exit code that scripts rely on."""

import errno
from typing import Any

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
OUT_OF_MEMORY = (
    "allocate memory",  # torch, and the system when it loads a library or starts a process
    "failed to map segment",
    "bad_alloc",
    "could not create a primitive",  # oneDNN, which does not say why
    "could not create a memory object",
)
"""What a full memory is called in the errors of those that have no class for it."""


class GenctlError(Exception):
    """Something that a user can mend.

    Its text is one line of the form ``<what> <which file or key>: <why>; <what to do>``.
    """

    exit_code = 1
    result: dict[str, Any] | None = None
    """What `--json` prints besides the message."""

    def lines(self) -> list[str]:
        """The messages to print, one line each."""
        return [str(self)]


class UsageError(GenctlError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class ConfigError(UsageError):
    """One or more settings are wrong; every one of them is told."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems

    def lines(self) -> list[str]:
        """The messages to print, one line for each wrong setting."""
        return self.problems


class Diverged(GenctlError):
    """The numbers of a run are no longer finite; running it again would end the same way."""

    exit_code = 3


class BadContent(GenctlError):
    """A file is there, but what it holds cannot be used."""

    exit_code = 65


class TooNew(BadContent):
    """A file is whole, but of a later version of genctl."""


class MissingInput(GenctlError):
    """A file that was asked for is not there or cannot be read."""

    exit_code = 66


class Unavailable(GenctlError):
    """A device or a download is not to be had now."""

    exit_code = 69


class OutOfMemory(GenctlError):
    """The work does not fit into the memory of the machine or its GPU."""

    exit_code = 71


class CannotCreate(GenctlError):
    """The output cannot be made where it was asked for."""

    exit_code = 73


class WriteFailed(GenctlError):
    """A file could not be written whole; what was there before is untouched."""

    exit_code = 74


class Locked(GenctlError):
    """Another process is at work in the run directory."""

    exit_code = 75


class Interrupted(GenctlError):
    """A signal ended the work after its state was saved."""

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def user_error(error: Exception) -> GenctlError | None:
    """What an error of the system or of a library means to a user, where that is known."""
    is_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if is_memory or any(sign in str(error) for sign in OUT_OF_MEMORY):
        return OutOfMemory(
            "out of memory: the work does not fit; ask for fewer images at a time "
            "(training.batch_size, --batch-size, --n), or allow the process more"
        )
    if not isinstance(error, OSError) or error.filename is None:
        return None
    if error.errno in DISK_FULL:
        return WriteFailed(f"cannot write {error.filename}: {error.strerror}; make room")
    return MissingInput(f"cannot use {error.filename}: {error.strerror}; check the path")
