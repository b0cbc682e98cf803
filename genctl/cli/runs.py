"""genctl runs: what there is, and what it reached."""

from pathlib import Path
from typing import Annotated, Any

import typer

from genctl.cli import options
from genctl.cli.console import Console, console, printable


def runs(
    runs: options.Runs = Path("runs"),
    sort: Annotated[
        str | None,
        typer.Option("--sort", metavar="COLUMN", help="Sort by a column; -COLUMN for falling."),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print the table as CSV.")] = False,
    sheet: Annotated[
        Path | None,
        typer.Option(
            "--sheet", metavar="PNG", help="Also draw a row of samples for each run, same seed."
        ),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """List the runs: status, only the settings that differ, scores."""
    with console(json, quiet, debug) as out:
        from genctl.common.errors import UsageError
        from genctl.runs import table

        if csv and json:
            raise UsageError("cannot print --csv and --json at once; choose one")
        if sheet is not None and sheet.suffix.lower() != ".png":
            raise UsageError(f"--sheet {sheet}: must end in .png")
        rows = table.sort(table.rows(runs), sort)
        if sheet is not None:
            _draw([runs / row["run"] for row in rows], sheet, out)
        if json:
            out.result({"runs": rows} | ({} if sheet is None else {"sheet": str(sheet)}))
            return
        rows = [_printable(row) for row in rows]
        if csv:
            out.result({}, table.to_csv(rows).rstrip("\n"))
        elif rows:
            out.result({}, _drawn(table.columns(rows), rows))
        else:
            out.info(f"no runs in {runs}; `genctl train --config digits_cgan` makes one")


def _draw(paths: list[Path], sheet: Path, out: Console) -> None:
    """Write the sheet, and say which run each row shows."""
    from genctl.common import files
    from genctl.common.devices import choose_device
    from genctl.data import pictures as images
    from genctl.inference.run_sheet import gallery
    from genctl.runs.run import Run

    pixels, shown = gallery(map(Run, paths), choose_device("auto"), out.warn)
    names = [run.path.name for run in shown]
    files.make_folder(sheet.parent)
    files.atomic_write(sheet, images.png(pixels, {"Software": "genctl", "runs": "\n".join(names)}))
    for number, name in enumerate(names, start=1):
        out.info(f"row {number} of {sheet}: {name}")


def _printable(row: dict[str, Any]) -> dict[str, Any]:
    return {
        printable(column): printable(value) if isinstance(value, str) else value
        for column, value in row.items()
    }


def _drawn(columns: list[str], rows: list[dict[str, Any]]) -> str:
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    sheet = Table(box=None, pad_edge=False, header_style="bold")
    short = [column.rpartition(".")[2] for column in columns]
    for column, word in zip(columns, short, strict=True):
        sheet.add_column(word if short.count(word) == 1 else column, overflow="fold")
    for row in rows:  # as Text, which takes no [word] of a name for an instruction
        sheet.add_row(*(Text(_text(row.get(column))) for column in columns))
    terminal = RichConsole()
    if not terminal.is_terminal:
        terminal.width = 10_000  # programs that read lines want them whole
    with terminal.capture() as drawn:
        terminal.print(sheet)
    return "\n".join(line.rstrip() for line in drawn.get().splitlines())


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
