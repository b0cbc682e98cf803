"""How progress looks: a live bar on a terminal, plain lines elsewhere, nothing with --quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from genctl.cli.console import printable
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
        with _live_bars() as (live, bars):
            yield TerminalReporter(out, live, bars)
    else:
        yield LineReporter(out)


class QuietReporter:
    """Shows warnings only."""

    def __init__(self, out: Console) -> None:
        self.out = out

    def info(self, text: str) -> None:
        """Show nothing: the console is quiet."""
        self.out.info(text)

    def warn(self, text: str) -> None:
        """Print a warning."""
        self.out.warn(text)

    def progress(self, task: str, share: float) -> None:
        """Show nothing."""

    def training(self, progress: TrainingProgress) -> None:
        """Show nothing."""


class LineReporter(QuietReporter):
    """Prints a line now and then, for logs."""

    def __init__(self, out: Console) -> None:
        super().__init__(out)
        self.last_progress = time.monotonic()
        self.last_training = -LINE_INTERVAL  # the first line of training is printed at once

    def progress(self, task: str, share: float) -> None:
        """Print a line if the last one is old."""
        now = time.monotonic()
        if now - self.last_progress >= LINE_INTERVAL:
            self.last_progress = now
            self.out.info(f"{share:4.0%}  {task}")

    def training(self, progress: TrainingProgress) -> None:
        """Print a line if the last one is old."""
        now = time.monotonic()
        if now - self.last_training >= LINE_INTERVAL:
            self.last_training = self.last_progress = now
            self.out.info(f"{progress.share:4.0%}  {_pace(progress)}  {_losses(progress)}")


class TerminalReporter(QuietReporter):
    """A bar for each task; in training the losses and scores below it."""

    def __init__(self, out: Console, live: Live, bars: Progress) -> None:
        super().__init__(out)
        self.live, self.bars = live, bars
        self.tasks: dict[str, TaskID] = {}

    def info(self, text: str) -> None:
        """Print above the bars."""
        self.live.console.print(printable(text), markup=False, highlight=False)

    def progress(self, task: str, share: float) -> None:
        """Move the bar of the task."""
        self._move(task, share, "")

    def training(self, progress: TrainingProgress) -> None:
        """Move the bar, and show the losses below it."""
        from rich.console import Group
        from rich.text import Text

        self._move("training", progress.share, _pace(progress))
        losses = Text(_losses(progress), style="dim", overflow="ellipsis")
        self.live.update(Group(self.bars, losses))

    def _move(self, task: str, share: float, pace: str) -> None:
        if task not in self.tasks:
            self.tasks[task] = self.bars.add_task(task, total=1.0, pace="")
        self.bars.update(self.tasks[task], completed=share, pace=pace)


@contextmanager
def _live_bars() -> Iterator[tuple[Live, Progress]]:
    from rich.console import Console as RichConsole
    from rich.live import Live
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    console = RichConsole(stderr=True)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[pace]}"),
        console=console,
    )
    with Live(bars, console=console, refresh_per_second=4) as live:
        yield live, bars


def _pace(progress: TrainingProgress) -> str:
    return (
        f"{progress.images:,} images  {progress.images_per_second:,.0f}/s  "
        f"{_clock(progress.seconds_left)} left"
    )


def _losses(progress: TrainingProgress) -> str:
    """``critic real 0.6 fake 0.7 · generator fake 0.8``, and the scores if there are any."""
    updates: dict[str, list[str]] = {}
    for key, value in progress.losses.items():
        update, _, name = key.partition("/")
        updates.setdefault(update, []).append(f"{name} {value:.3g}")
    if progress.scores:
        updates["score"] = [f"{name} {value:.3g}" for name, value in progress.scores.items()]
    return " · ".join(f"{update} {' '.join(terms)}" for update, terms in updates.items())


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
