"""genctl runs: what there is, and what it reached."""

from pathlib import Path
from typing import Annotated, Any

import typer

from genctl.cli import options
from genctl.cli.console import console


def runs(
    runs: options.Runs = Path("runs"),
    sort: Annotated[
        str | None,
        typer.Option("--sort", metavar="COLUMN", help="Sort by a column; -COLUMN for falling."),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print the table as CSV.")] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """List the runs: status, only the settings that differ, scores."""
    with console(json, quiet, debug) as out:
        from genctl import table

        rows = table.sort(table.rows(runs), sort)
        if json:
            out.result({"runs": rows})
        elif csv:
            print(table.to_csv(rows), end="")
        elif rows:
            _print(table.columns(rows), rows)
        else:
            out.say(f"no runs in {runs}; `genctl train --config digits_cgan` makes one")


def _print(columns: list[str], rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    sheet = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        sheet.add_column(column.rpartition(".")[2], overflow="fold")
    for row in rows:
        sheet.add_row(*(_text(row.get(column)) for column in columns))
    Console().print(sheet)


def _text(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool() | str():
            return str(value)
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4g}"
    return str(value)
