"""Runs that are killed and resumed: the same command must end with the same bits."""

import signal
from pathlib import Path

from tests.conftest import Completed
from tests.support.processes import (
    Fault,
    ImageCounter,
    all_of,
    checkpointed_images,
    require_same,
    run_training,
)

RUN = Path("runs") / "run"


def train_until_killed(folder: Path, *more: str, every: int, fault: Fault) -> int | None:
    """Train until SIGKILL.

    Returns:
        The images of the newest checkpoint, which must be at most ``every`` images old; None if the
        run was completed before it was killed.
    """
    counter = ImageCounter()
    done = run_training(folder, *more, fault=all_of(counter.watch, fault))
    if done.code == 0:
        return None
    assert (done.code, done.out) == (-signal.SIGKILL, ""), done.err
    newest = newest_checkpoint(folder)
    assert counter.images - newest <= every, "too many images would be trained on again"
    return newest


def newest_checkpoint(folder: Path) -> int:
    """The images of the newest checkpoint; 0 where there is none."""
    return max(map(int, checkpointed_images(folder / RUN)), default=0)


def require_resumed(folder: Path, *more: str, reference: Path) -> Completed:
    """The same command resumes from the newest checkpoint, and ends with the same bits."""
    newest = newest_checkpoint(folder)
    done = run_training(folder, *more)
    assert done.code == 0, done.err
    require_progress_printed(done, newest)
    require_same(folder / RUN, reference)
    return done


def require_progress_printed(done: Completed, newest: int) -> None:
    """The run prints where it starts, and no warnings or errors."""
    resuming = f"resuming {RUN} on cpu" in done.err and f" from {newest:,} images" in done.err
    beginning = f"training {RUN} on cpu" in done.err and not newest
    assert resuming or beginning or f"{RUN} is already complete" in done.err, done.err
    assert "warning" not in done.err
    assert "error" not in done.err
