"""What ``genctl finish`` leaves in a run: the request, and the end of the schedule that follows.

The command writes the request, the training loop the answer, so that neither overwrites the other.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, NonNegativeInt, PositiveInt, TypeAdapter, ValidationError

from genctl.common import files
from genctl.common.errors import BadContent
from genctl.runs.run import Run

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class FinishRequest:
    """Somebody asked a run to finish."""

    within: Seconds  # seconds
    asked: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0  # seconds since 1970


@dataclass(frozen=True)
class EarlyEnd:
    """The new end of a run that was asked to finish.

    From ``images`` on, progress is a function of the images alone, so that a run that is killed
    meanwhile resumes with the same learning rates.
    """

    within: Seconds  # seconds, as asked
    images: NonNegativeInt  # seen when the request was read
    progress: Annotated[float, Field(ge=0, le=1)]  # of the run at that moment
    end: PositiveInt  # images at which the run is over

    def progress_at(self, images: int) -> float:
        """The share of the run that is done, 0 to 1: a straight line from there to the end."""
        left = (self.end - images) / (self.end - self.images)
        return min(1 - (1 - self.progress) * left, 1.0)


def write_request(run: Run, within: float) -> None:
    """Ask a run to finish within some seconds.

    Raises:
        CannotCreate, WriteFailed: the file cannot be written.
    """
    _write(run.finish_request, FinishRequest(within, round(time.time(), 3)))


def read_request(run: Run) -> FinishRequest | None:
    """The request to finish, if there is one.

    Raises:
        BadContent: the file is not one.
    """
    request: FinishRequest | None = _read(run.finish_request, FinishRequest)
    return request


def write_early_end(run: Run, early_end: EarlyEnd) -> None:
    """Record the new end of a run.

    Raises:
        CannotCreate, WriteFailed: the file cannot be written.
    """
    _write(run.finish, early_end)


def read_early_end(run: Run) -> EarlyEnd | None:
    """The new end of a run that was asked to finish, if it was.

    Raises:
        BadContent: the file does not say it.
    """
    found: EarlyEnd | None = _read(run.finish, EarlyEnd)
    if found is not None and found.end <= found.images:
        raise _unusable(run.finish)
    return found


def forget(run: Run) -> None:
    """Delete request and record: a run that is trained on has its ordinary schedule again."""
    for path in (run.finish_request, run.finish):
        path.unlink(missing_ok=True)


def _write(path: Path, content: FinishRequest | EarlyEnd) -> None:
    files.atomic_write(path, (json.dumps(asdict(content), indent=2) + "\n").encode())


def _read(path: Path, kind: type[Any]) -> Any:
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        raise _unusable(path) from None


def _unusable(path: Path) -> BadContent:
    return BadContent(
        f"cannot use {path}: not what `genctl finish` and the run wrote; delete it to train on "
        "without it"
    )
