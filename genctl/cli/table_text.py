"""Tables that may be longer than a screen, as text."""

from rich.console import Console
from rich.table import Table


def table_text(table: Table) -> str:
    """As wide as the terminal; elsewhere one line per row, for programs that read lines."""
    terminal = Console()
    if not terminal.is_terminal:
        terminal.width = 10_000
    with terminal.capture() as printed:
        terminal.print(table)
    return "\n".join(line.rstrip() for line in printed.get().splitlines())
