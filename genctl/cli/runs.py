"""genctl runs: a table of runs, their settings and their scores."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genctl.cli import completion, options
from genctl.cli.console import Console, console, loading, printable
from genctl.cli.live_table import live_table

if TYPE_CHECKING:
    from rich.table import Table


def runs(
    runs: options.Runs = Path("runs"),
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort",
            metavar="COLUMN",
            help="Sort by a column; -COLUMN for descending order.",
            autocompletion=completion.columns,
        ),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print the table as CSV.")] = False,
    sheet: Annotated[
        Path | None,
        typer.Option(
            "--sheet",
            metavar="PNG",
            help="Also write a picture with a row of samples for each run, all of one seed.",
        ),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Show the table live until Ctrl-C; once without a terminal."),
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """List runs with status, scores, and the settings that differ."""
    with console(json, quiet, debug) as out:
        with loading():
            from genctl.cli.table_text import table_text
            from genctl.common.errors import UsageError
            from genctl.runs import table

        if csv and json:
            raise UsageError("cannot print --csv and --json at once; choose one")
        if sheet is not None and sheet.suffix.lower() != ".png":
            raise UsageError(f"--sheet {sheet}: must end in .png")
        if watch and (csv or json or sheet is not None):
            raise UsageError("cannot --watch with --csv, --json or --sheet; leave one out")
        if watch and sys.stdout.isatty():
            live_table(lambda: _live(table.sort(table.rows(runs), sort), runs))
        rows = table.sort(table.rows(runs), sort)
        if sheet is not None:
            _write_sheet([runs / row["run"] for row in rows], sheet, out)
        if json:
            out.result({"runs": rows} | ({} if sheet is None else {"sheet": str(sheet)}))
            return
        rows = [_printable(row) for row in rows]
        if csv:
            out.result({}, table.to_csv(rows).rstrip("\n"))
        elif rows:
            out.result({}, table_text(_table(table.columns(rows), rows)))
        else:
            out.info(f"no runs in {runs}; train one with `genctl train --config digits_cgan`")


def _write_sheet(paths: list[Path], sheet: Path, out: Console) -> None:
    """Write the picture, and print which run each row shows."""
    with loading():
        from genctl.common import files
        from genctl.common.devices import choose_device
        from genctl.data import pictures
        from genctl.inference.run_sheet import render_sheet
        from genctl.runs.run import Run

    pixels, runs_in_rows = render_sheet(map(Run, paths), choose_device("auto"), out.warn)
    names = [run.path.name for run in runs_in_rows]
    files.make_folder(sheet.parent)
    text = {"Software": "genctl", "runs": "\n".join(names)}
    files.atomic_write(sheet, pictures.png(pixels, text))
    for number, name in enumerate(names, start=1):
        out.info(f"row {number} of {sheet}: {name}")


def _printable(row: dict[str, Any]) -> dict[str, Any]:
    return {
        printable(column): printable(value) if isinstance(value, str) else value
        for column, value in row.items()
    }


def _live(rows: list[dict[str, Any]], runs: Path) -> Any:
    """What --watch shows at one moment."""
    from collections import Counter
    from datetime import datetime

    from rich.console import Group
    from rich.text import Text

    from genctl.runs import table

    rows = [_printable(row) for row in rows]
    counts = Counter(row["status"] for row in rows)
    states = ", ".join(f"{count:,} {status}" for status, count in counts.items()) or "no runs yet"
    now = datetime.now().strftime("%H:%M:%S")
    line = Text(f"{printable(str(runs))} at {now}: {states}; Ctrl-C ends", style="dim")
    return Group(_table(table.columns(rows), rows), line) if rows else line


def _table(columns: list[str], rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from genctl.runs.table import headings

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings(columns).values():
        table.add_column(heading, overflow="fold")
    for row in rows:  # as Text, because rich would take [word] in a name for markup
        table.add_row(*(Text(_cell(row.get(column))) for column in columns))
    return table


def _cell(value: Any) -> str:
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
