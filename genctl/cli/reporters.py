"""Progress of a command: a live bar on a terminal, lines in a log, nothing with --quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from genctl.common.reporting import Reporter, TrainingProgress

if TYPE_CHECKING:
    from rich.live import Live
    from rich.progress import Progress, TaskID

    from genctl.cli.console import Console

LINE_INTERVAL = 10.0  # seconds


@contextmanager
def open_reporter(out: Console) -> Iterator[Reporter]:
    """The reporter that suits the streams and options of a command."""
    if out.quiet:
        yield QuietReporter(out)
    elif sys.stderr.isatty():
        with _live_bar() as (live, bar):
            yield TerminalReporter(out, live, bar)
    else:
        yield LineReporter(out)


class QuietReporter:
    """Prints messages, as far as the console prints them, and no progress."""

    def __init__(self, out: Console) -> None:
        self.out = out

    def info(self, text: str) -> None:
        """Print a message, unless --quiet."""
        self.out.info(text)

    def warn(self, text: str) -> None:
        """Print a warning."""
        self.out.warn(text)

    def progress(self, task: str, share: float) -> None:
        """Print nothing."""

    def training(self, progress: TrainingProgress) -> None:
        """Print nothing."""


class LineReporter(QuietReporter):
    """Prints a line every ``LINE_INTERVAL`` seconds."""

    def __init__(self, out: Console) -> None:
        super().__init__(out)
        self.last_progress = time.monotonic()
        self.last_training = -LINE_INTERVAL  # training prints its first line at once

    def progress(self, task: str, share: float) -> None:
        """Print a line if the last one is old enough."""
        now = time.monotonic()
        if now - self.last_progress >= LINE_INTERVAL:
            self.last_progress = now
            self.out.info(f"{share:4.0%}  {task}")

    def training(self, progress: TrainingProgress) -> None:
        """Print a line if the last one is old enough."""
        now = time.monotonic()
        if now - self.last_training >= LINE_INTERVAL:
            self.last_training = self.last_progress = now
            parts = (_pace(progress), " · ".join(_losses(progress)), _scores(progress))
            self.out.info(f"{progress.share:4.0%}  {'  '.join(filter(None, parts))}")


class TerminalReporter(QuietReporter):
    """Shows the bar of the current task; in training, the losses and scores below it."""

    def __init__(self, out: Console, live: Live, bar: Progress) -> None:
        super().__init__(out)
        self.live, self.bar = live, bar
        self.task: TaskID | None = None
        self.name = ""

    def progress(self, task: str, share: float) -> None:
        """Move the bar of the task."""
        self._move(task, share, "")
        self.live.update(self.bar)

    def training(self, progress: TrainingProgress) -> None:
        """Move the bar, and show the losses below it."""
        from rich.console import Group
        from rich.text import Text

        self._move("training", progress.share, _pace(progress))
        lines = [
            Text(line, style="dim", no_wrap=True, overflow="ellipsis")
            for line in (*_losses(progress), _scores(progress))
            if line
        ]
        self.live.update(Group(self.bar, *lines))

    def _move(self, name: str, share: float, pace: str) -> None:
        if self.task is None or name != self.name:
            if self.task is not None:
                self.bar.remove_task(self.task)
            self.name, self.task = name, self.bar.add_task(name, total=1.0, pace="")
        self.bar.update(self.task, completed=share, pace=pace)


@contextmanager
def _live_bar() -> Iterator[tuple[Live, Progress]]:
    """A bar at the bottom of the terminal, below all messages; it disappears at the end."""
    from rich.console import Console as RichConsole
    from rich.live import Live
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    console = RichConsole(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[pace]}"),
        console=console,
    )
    # Redirects stderr while it is shown, so that messages are printed above the bar.
    with Live(bar, console=console, refresh_per_second=4, transient=True) as live:
        console.show_cursor()  # a killed process would leave it hidden
        yield live, bar


def _pace(progress: TrainingProgress) -> str:
    """``6,400 images  1,270/s  1:32 left``."""
    return (
        f"{progress.images:,} images  {progress.images_per_second:,.0f}/s  "
        f"{_clock(progress.seconds_left)} left"
    )


def _losses(progress: TrainingProgress) -> list[str]:
    """``critic fake 0.7 real 0.6`` and ``generator fake 0.8``."""
    updates: dict[str, list[str]] = {}
    for key, value in sorted(progress.losses.items()):  # some are not part of every line
        update, _, name = key.partition("/")
        updates.setdefault(update, []).append(f"{name} {value:.3g}")
    return [f"{update} {' '.join(terms)}" for update, terms in updates.items()]


def _scores(progress: TrainingProgress) -> str:
    """``scores fid 12.3 agreement 0.97``, or nothing."""
    scores = [f"{name} {value:.3g}" for name, value in progress.scores.items()]
    return f"scores {' '.join(scores)}" if scores else ""


def _clock(seconds: float) -> str:
    """``1:32``, or ``2:01:32`` from an hour on."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
