"""How training looks: a live line on a terminal, plain lines now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

    from genctl.cli.console import Console
    from genctl.surroundings import Budget
    from genctl.trainer import Trainer

PLAIN_LINE_EVERY = 10.0  # seconds


@contextmanager
def display(out: Console) -> Iterator[Display]:
    """Show what a run does while the block runs."""
    if out.quiet:
        yield Display(out)
    elif sys.stderr.isatty():
        with _bar() as bar:
            yield LiveDisplay(out, bar)
    else:
        yield PlainDisplay(out)


class Display:
    """Says and warns; keeps progress to itself."""

    def __init__(self, out: Console) -> None:
        self.out = out

    def say(self, text: str) -> None:
        """Something worth knowing."""
        self.out.say(text)

    def warn(self, text: str) -> None:
        """Something the user should look at."""
        self.out.warn(text)

    def progress(self, trainer: Trainer, budget: Budget) -> None:
        """A line of metrics was written."""


class PlainDisplay(Display):
    """One line every so often, for logs."""

    last = 0.0

    def progress(self, trainer: Trainer, budget: Budget) -> None:
        """Print a line if the last one is long ago."""
        now = time.monotonic()
        if now - self.last >= PLAIN_LINE_EVERY:
            self.last = now
            self.out.say(f"{_share(trainer, budget):4.0%}  {_words(trainer, budget)}")


class LiveDisplay(Display):
    """A bar that moves."""

    def __init__(self, out: Console, bar: Progress) -> None:
        super().__init__(out)
        self.bar = bar
        self.task = bar.add_task("", total=1.0, words="")

    def say(self, text: str) -> None:
        """Print above the bar."""
        self.bar.console.print(text, markup=False, highlight=False)

    def progress(self, trainer: Trainer, budget: Budget) -> None:
        """Move the bar."""
        share, words = _share(trainer, budget), _words(trainer, budget)
        self.bar.update(self.task, completed=share, words=words)


def _bar() -> Progress:
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    return Progress(
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[words]}"),
        console=RichConsole(stderr=True),
    )


def _share(trainer: Trainer, budget: Budget) -> float:
    return budget.progress(trainer.state.images, trainer.elapsed())


def _words(trainer: Trainer, budget: Budget) -> str:
    share, elapsed = _share(trainer, budget), trainer.elapsed()
    left = elapsed / share - elapsed if share else 0.0
    terms = "  ".join(f"{name} {value:.3g}" for name, value in trainer.latest.items())
    return (
        f"{trainer.state.images:,} images  {trainer.images_per_second:,.0f}/s  "
        f"{terms}  {_clock(left)} left"
    )


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
