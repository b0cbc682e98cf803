"""How work of several stages looks: live bars on a terminal, plain lines now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from genctl.cli.console import printable

if TYPE_CHECKING:
    from rich.progress import Progress

    from genctl.cli.console import Console

PLAIN_LINE_EVERY = 10.0  # seconds


@contextmanager
def stages(out: Console) -> Iterator[Stages]:
    """Show what is being done while the block runs."""
    if out.quiet:
        yield Stages(out)
    elif sys.stderr.isatty():
        with _bar() as bar:
            yield LiveStages(out, bar)
    else:
        yield PlainStages(out)


class Stages:
    """Says and warns; keeps progress to itself."""

    def __init__(self, out: Console) -> None:
        self.out = out

    def say(self, text: str) -> None:
        """Something worth knowing."""
        self.out.say(text)

    def warn(self, text: str) -> None:
        """Something the user should look at."""
        self.out.warn(text)

    def progress(self, doing: str, share: float) -> None:
        """The share of ``doing`` that is done, 0 to 1."""


class PlainStages(Stages):
    """A line for what takes long, for logs."""

    def __init__(self, out: Console) -> None:
        super().__init__(out)
        self.last = time.monotonic()

    def progress(self, doing: str, share: float) -> None:
        """Print a line if the last one is long ago."""
        now = time.monotonic()
        if now - self.last >= PLAIN_LINE_EVERY:
            self.last = now
            self.out.say(f"{share:4.0%}  {doing}")


class LiveStages(Stages):
    """A bar for each stage."""

    def __init__(self, out: Console, bar: Progress) -> None:
        super().__init__(out)
        self.bar = bar
        self.tasks: dict[str, object] = {}

    def say(self, text: str) -> None:
        """Print above the bars."""
        self.bar.console.print(printable(text), markup=False, highlight=False)

    def progress(self, doing: str, share: float) -> None:
        """Move the bar of this stage."""
        if doing not in self.tasks:
            self.tasks[doing] = self.bar.add_task(doing, total=1.0)
        self.bar.update(self.tasks[doing], completed=share)  # type: ignore[arg-type]


def _bar() -> Progress:
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeLeft(),
        console=RichConsole(stderr=True),
    )
