"""How training looks: a live line on a terminal, plain lines now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from genctl.cli.console import printable
from genctl.cli.stages import PLAIN_LINE_EVERY, PlainStages, Stages

if TYPE_CHECKING:
    from rich.live import Live
    from rich.progress import Progress

    from genctl.cli.console import Console
    from genctl.training.services import Budget
    from genctl.training.trainer import Trainer


@contextmanager
def display(out: Console) -> Iterator[Display]:
    """Show what a run does while the block runs."""
    if out.quiet:
        yield Display(out)
    elif sys.stderr.isatty():
        with _live(out) as live:
            yield live
    else:
        yield PlainDisplay(out)


class Display(Stages):
    """Says and warns; keeps progress to itself."""

    def trained(self, trainer: Trainer, budget: Budget) -> None:
        """A line of metrics was written."""


class PlainDisplay(PlainStages, Display):
    """One line every so often, for logs."""

    def __init__(self, out: Console) -> None:
        super().__init__(out)
        self.last = 0.0  # so that the first line comes at once

    def trained(self, trainer: Trainer, budget: Budget) -> None:
        """Print a line if the last one is long ago."""
        now = time.monotonic()
        if now - self.last >= PLAIN_LINE_EVERY:
            self.last = now
            share, pace = _share(trainer, budget), _pace(trainer, budget)
            self.out.say(f"{share:4.0%}  {pace}  {_losses(trainer)}")


class LiveDisplay(Display):
    """A bar that moves, and below it the losses and the latest score."""

    def __init__(self, out: Console, live: Live, bar: Progress) -> None:
        super().__init__(out)
        self.live, self.bar = live, bar
        self.task = bar.add_task("", total=1.0, words="")

    def say(self, text: str) -> None:
        """Print above the bar."""
        self.live.console.print(printable(text), markup=False, highlight=False)

    def progress(self, doing: str, share: float) -> None:
        """Move the bar while something else is done first."""
        self.bar.update(self.task, completed=share, words=doing)

    def trained(self, trainer: Trainer, budget: Budget) -> None:
        """Move the bar."""
        from rich.console import Group
        from rich.text import Text

        share = _share(trainer, budget)
        self.bar.update(self.task, completed=share, words=_pace(trainer, budget))
        self.live.update(Group(self.bar, Text(_losses(trainer), style="dim", overflow="ellipsis")))


@contextmanager
def _live(out: Console) -> Iterator[LiveDisplay]:
    from rich.console import Console as RichConsole
    from rich.live import Live
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    console = RichConsole(stderr=True)
    bar = Progress(
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[words]}"),
        console=console,
    )
    with Live(bar, console=console, refresh_per_second=4) as live:
        yield LiveDisplay(out, live, bar)


def _share(trainer: Trainer, budget: Budget) -> float:
    return budget.progress(trainer.state.images, trainer.elapsed())


def _pace(trainer: Trainer, budget: Budget) -> str:
    share, elapsed = _share(trainer, budget), trainer.elapsed()
    left = elapsed / share - elapsed if share else 0.0
    images, rate = trainer.state.images, trainer.images_per_second
    return f"{images:,} images  {rate:,.0f}/s  {_clock(left)} left"


def _losses(trainer: Trainer) -> str:
    """``critic real 0.6 fake 0.7 · generator fake 0.8``, and the scores if there are any."""
    turns: dict[str, list[str]] = {}
    for key, value in trainer.latest.items():
        turn, _, name = key.partition("/")
        turns.setdefault(turn, []).append(f"{name} {value:.3g}")
    if trainer.scores:
        turns["score"] = [f"{name} {value:.3g}" for name, value in trainer.scores.items()]
    return " · ".join(f"{turn} {' '.join(terms)}" for turn, terms in turns.items())


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
