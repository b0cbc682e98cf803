"""A table that is shown anew every moment, until somebody has seen enough."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from genctl.common.signals import Stopped, signal_flags

if TYPE_CHECKING:
    from rich.console import RenderableType

INTERVAL = 1.0  # seconds between two looks
POLL_SECONDS = 0.05


def live_table(render: Callable[[], RenderableType]) -> None:
    """Show on the terminal what ``render`` returns, until Ctrl-C, which is no error here.

    Raises:
        Stopped: another signal came.
    """
    from rich.console import Console
    from rich.live import Live

    terminal = Console()
    with signal_flags() as signals, signals.deferred():
        # It is erased at the end, when the whole table is printed: a terminal may cut it off.
        with Live(console=terminal, auto_refresh=False, transient=True) as live:
            terminal.show_cursor()  # a killed process would leave it hidden
            next_look = 0.0
            while signals.stop is None:
                if time.monotonic() >= next_look:
                    live.update(render(), refresh=True)
                    next_look = time.monotonic() + INTERVAL
                time.sleep(POLL_SECONDS)
        if signals.stop != signal.SIGINT:
            raise Stopped(signals.stop)
        signals.stop = None
