"""All runs side by side: status, the settings that differ, what they reached."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from genctl.config import config as configs
from genctl.common.errors import GenctlError, UsageError
from genctl.runs.run import Run, all_runs

Row = dict[str, Any]

ALWAYS = ("run", "status", "images", "seconds", "images_per_second")


def rows(runs: Path) -> list[Row]:
    """One row for each run: the contract's columns, the differing settings, the last metrics."""
    found = all_runs(runs)
    settings = {run: _settings(run) for run in found}
    differing = _differing(settings.values())
    return [_row(run, {key: settings[run].get(key) for key in differing}) for run in found]


def sort(table: list[Row], key: str | None) -> list[Row]:
    """Best first: by ``key`` (``-key`` for falling), else by status, then by images.

    Raises:
        UsageError: no run has such a column.
    """
    if key is None:
        order = ("running", "complete", "interrupted", "diverged", "failed")
        return sorted(table, key=lambda row: (order.index(row["status"]), -row["images"]))
    name = key.removeprefix("-")
    if table and not any(name in row for row in table):
        raise UsageError(f"--sort {key}: no such column; there are {', '.join(columns(table))}")
    known = [row for row in table if row.get(name) is not None]
    unknown = [row for row in table if row.get(name) is None]
    numeric = all(isinstance(row[name], int | float) for row in known)
    known.sort(
        key=lambda row: row[name] if numeric else str(row[name]), reverse=key.startswith("-")
    )
    return known + unknown


def columns(table: list[Row]) -> list[str]:
    """The names of all columns, those of every run first."""
    names = dict.fromkeys(ALWAYS)
    for row in table:
        names |= dict.fromkeys(row)
    return list(names)


def to_csv(table: list[Row]) -> str:
    """The table as CSV text."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns(table), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return buffer.getvalue()


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
    """The scores of the last evaluation during training, and of `genctl evaluate` before them."""
    found: dict[str, Any] = {}
    for source in (last, run.read_evaluation()):
        scores = source.get("scores")
        found |= scores if isinstance(scores, dict) else {}
    return found


def _last_metrics(run: Run) -> dict[str, Any]:
    try:
        records = run.read_metrics()
    except OSError:
        return {}  # not ours to read; as with a damaged config, the rest is worth showing
    return records[-1] if records else {}


def _number(value: Any) -> int | float | None:
    """What a file of another program or version holds may be anything."""
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def _settings(run: Run) -> dict[str, Any]:
    try:
        return configs.flatten(configs.load(str(run.config)).model_dump(mode="json"))
    except GenctlError:
        return {}  # of another version of genctl, or damaged; its status is still worth showing


def _differing(settings: Iterable[dict[str, Any]]) -> list[str]:
    """The keys whose values differ between the runs whose settings are known."""
    known = [values for values in settings if values]
    keys = sorted({key for values in known for key in values})
    return [key for key in keys if len({repr(values.get(key)) for values in known}) > 1]
