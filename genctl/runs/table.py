"""The table of runs: status, the settings that differ, and scores."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from genctl.common.errors import GenctlError, UsageError
from genctl.common.nearest import did_you_mean
from genctl.config import config as configs
from genctl.config.config import Config
from genctl.config.keys import every_key
from genctl.runs.lookup import list_runs
from genctl.runs.run import Run

Row = dict[str, Any]

COMMON_COLUMNS = ("run", "status", "images", "seconds", "images_per_second")


def rows(runs: Path) -> list[Row]:
    """One row for each run: the common columns, the settings that differ, the last scores."""
    found = list_runs(runs)
    settings = differing_settings(found)
    return [_row(run, settings[run]) for run in found]


def differing_settings(runs: list[Run]) -> dict[Run, dict[str, Any]]:
    """For each run its values of the settings that are not the same in all of them."""
    settings = {run: _settings(run) for run in runs}
    differing = _differing(settings.values())
    return {run: {key: settings[run].get(key) for key in differing} for run in runs}


def sort(table: list[Row], key: str | None) -> list[Row]:
    """Rows sorted by the column ``key`` (``-key``: descending), else by status, then by images.

    Raises:
        UsageError: there is no such column.
    """
    if key is None:
        order = ("running", "complete", "interrupted", "diverged", "failed")
        return sorted(table, key=lambda row: (order.index(row["status"]), -row["images"]))
    name = _column_named(key.removeprefix("-"), table, f"--sort {key}")
    known = [row for row in table if row.get(name) is not None]
    unknown = [row for row in table if row.get(name) is None]
    numeric = all(isinstance(row[name], int | float) for row in known)
    known.sort(
        key=lambda row: row[name] if numeric else str(row[name]), reverse=key.startswith("-")
    )
    return known + unknown


def columns(table: list[Row]) -> list[str]:
    """The names of all columns, the common ones first."""
    names = dict.fromkeys(COMMON_COLUMNS)
    for row in table:
        names |= dict.fromkeys(row)
    return list(names)


def score_columns(table: list[Row]) -> list[str]:
    """The names of the columns that hold scores."""
    return [name for name in columns(table) if name not in COMMON_COLUMNS and "." not in name]


def headings(columns: Iterable[str]) -> dict[str, str]:
    """A short name for each column: the end of its key path that fits no other key of a config.

    ``seed`` stands for ``training.seed``, but no ``kind`` stands for ``objective.kind``.
    """
    columns = list(columns)
    known = {*columns, *(key.path for key in every_key(Config))}
    count = Counter(ending for path in known for ending in _endings(path))
    return {
        column: next((ending for ending in _endings(column) if count[ending] == 1), column)
        for column in columns
    }


def to_csv(table: list[Row]) -> str:
    """The table as CSV text."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns(table), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return buffer.getvalue()


def _endings(path: str) -> list[str]:
    """``c``, ``b.c`` and ``a.b.c`` for ``a.b.c``."""
    words = path.split(".")
    return [".".join(words[-count:]) for count in range(1, len(words) + 1)]


def _column_named(name: str, table: list[Row], option: str) -> str:
    """The column with that name or heading; any name if the table is empty."""
    names = headings(columns(table))
    found = next((column for column in names if name in (column, names[column])), None)
    if found is None and table:
        near = did_you_mean(name, [*names, *names.values()])
        raise UsageError(f"{option}: no such column{near or '; use one of ' + ', '.join(names)}")
    return found or name


def _row(run: Run, settings: Row) -> Row:
    result = run.read_result()
    last = _last_metrics(run)
    return {
        "run": run.path.name,
        "status": run.status(),
        "images": _number(result.get("images", last.get("images"))) or 0,
        "seconds": _number(result.get("seconds", last.get("seconds"))),
        "images_per_second": _number(result.get("images_per_second")),
        **settings,
        **_scores(run, last),
    }


def _scores(run: Run, last: dict[str, Any]) -> dict[str, Any]:
    """The last scores; those of `genctl evaluate` replace those of training."""
    found: dict[str, Any] = {}
    for source in (last, run.read_evaluation()):
        scores = source.get("scores")
        found |= scores if isinstance(scores, dict) else {}
    return found


def _last_metrics(run: Run) -> dict[str, Any]:
    try:
        records = run.read_metrics()
    except OSError:
        return {}  # unreadable; the other columns can still be shown
    return records[-1] if records else {}


def _number(value: Any) -> int | float | None:
    """The value if it is a finite number; a damaged file may hold anything."""
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def _settings(run: Run) -> dict[str, Any]:
    try:
        return configs.flatten(configs.load(str(run.config)).model_dump(mode="json"))
    except GenctlError:
        return {}  # another version of genctl, or damaged; the other columns can still be shown


def _differing(settings: Iterable[dict[str, Any]]) -> list[str]:
    """The keys whose values differ between runs with a valid config."""
    known = [values for values in settings if values]
    keys = sorted({key for values in known for key in values})
    return [key for key in keys if len({repr(values.get(key)) for values in known}) > 1]
