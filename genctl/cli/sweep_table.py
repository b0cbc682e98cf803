"""The table that ``genctl sweep`` prints: a line for each point."""

from __future__ import annotations

from statistics import fmean, stdev

from rich.table import Table
from rich.text import Text

from genctl.cli.console import printable
from genctl.runs.table import headings
from genctl.sweeps.plan import short_value
from genctl.sweeps.summary import Row, Summary

IN_TABLE = ("overall", "fid", "agreement", "coverage", "diversity", "modes")
"""The scores in the table; CSV and JSON have all."""


def sweep_table(summary: Summary) -> Table:
    """The table, without what is the same for all points."""
    keys = list(dict.fromkeys(key for row in summary.rows for key in row.settings))
    scores = [name for name in summary.names if name in IN_TABLE or name == summary.score]
    keys = [key for key in keys if len({row.settings.get(key) for row in summary.rows}) > 1]
    several = len({row.config for row in summary.rows}) > 1 or not keys
    several_seeds = any(len(row.records) > 1 for row in summary.rows)
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = headings([*keys, *scores])
    for column in (["config"] if several else []) + [names[key] for key in keys]:
        table.add_column(column, overflow="fold")
    for column in ("images", "images/s", *scores):
        table.add_column(column, justify="right")
    for column in ["worst seed"] * several_seeds + ["status"]:
        table.add_column(column)
    if summary.real:
        start = ["real images", *[""] * (several + len(keys) - 1), "", ""]
        real = [_number(summary.real.get(name)) for name in scores]
        table.add_row(*start, *real, *[""] * (several_seeds + 1), style="dim")
    for row in summary.rows:
        cells = [row.config] * several + [short_value(row.settings.get(key, "")) for key in keys]
        cells += [f"{row.images:,.0f}", _number(row.images_per_second, ",.0f")]
        cells += [_mean_and_std(row.values(name)) for name in scores]
        cells += [_worst(row, summary.score)] * several_seeds + [row.status]
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def _number(value: float | None, digits: str = ".4f") -> str:
    return "-" if value is None else f"{value:{digits}}"


def _mean_and_std(values: list[float]) -> str:
    if not values:
        return "-"
    return f"{fmean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def _worst(row: Row, score: str) -> str:
    worst = row.worst(score)
    return "" if worst is None else f"{worst.seed}: {worst.scores[score]:.4f}"
