"""The result of a sweep: each point with the mean and the deviation of its seeds."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from genctl.reports.formats import LOWER_IS_BETTER
from genctl.sweeps.records import DONE, Record, mean_score

SCORES = (
    "overall", "fid", "agreement", "precision", "recall", "coverage", "diversity", "copies",
    "modes", "kl",
)  # fmt: skip
"""The scores that are shown, as far as there are any."""


@dataclass(frozen=True)
class Row:
    """A point, and what its seeds reached."""

    config: str
    settings: Mapping[str, str]
    records: Sequence[Record]

    @property
    def done(self) -> list[Record]:
        """The runs that have scores."""
        return [record for record in self.records if record.status in DONE]

    @property
    def status(self) -> str:
        """That of all seeds, or how many have which: ``2 complete, 1 diverged``."""
        statuses = [record.status for record in self.records]
        if len(set(statuses)) == 1:
            return statuses[0]
        counts = {status: statuses.count(status) for status in dict.fromkeys(statuses)}
        return ", ".join(f"{count} {status}" for status, count in counts.items())

    def values(self, score: str) -> list[float]:
        """A score of each run that has it."""
        return [record.scores[score] for record in self.done if score in record.scores]

    @property
    def images(self) -> float:
        """Images that the runs have seen, on average."""
        return fmean(record.images for record in self.records)

    @property
    def images_per_second(self) -> float | None:
        """The training rate, on average."""
        rates = [record.images_per_second for record in self.done if record.images_per_second]
        return fmean(rates) if rates else None

    def worst(self, score: str) -> Record | None:
        """The seed with the worst score; None with fewer than two."""
        known = [record for record in self.done if score in record.scores]
        if len(known) < 2:
            return None
        pick = max if score in LOWER_IS_BETTER else min
        return pick(known, key=lambda record: record.scores[score])


@dataclass(frozen=True)
class Summary:
    """All points, best first."""

    rows: Sequence[Row]
    score: str  # that they are compared by
    real: Mapping[str, float]  # the scores of real images
    names: Sequence[str]  # of the scores that are shown

    @property
    def best(self) -> Row | None:
        """The point with the best score, of those that came furthest."""
        rows = [row for row in self.rows if mean_score(row.records, self.score) is not None]
        return rows[0] if rows else None

    @property
    def records(self) -> list[Record]:
        """All runs."""
        return [record for row in self.rows for record in row.records]


def summarize(records: Iterable[Record], score: str) -> Summary:
    """Group runs by point; those trained furthest come first, and among them the best."""
    groups: dict[tuple[str, tuple[tuple[str, str], ...]], list[Record]] = {}
    for record in records:
        groups.setdefault((record.config, tuple(record.settings.items())), []).append(record)
    rows = [Row(config, dict(settings), seeds) for (config, settings), seeds in groups.items()]
    sign = 1 if score in LOWER_IS_BETTER else -1

    def order(row: Row) -> tuple[bool, float, float]:
        """Failed last; then complete before paused, later before earlier pauses, better first."""
        mean = mean_score(row.records, score)
        images = float("inf") if row.status == "complete" else row.images
        return mean is None, -images, sign * mean if mean is not None else 0.0

    rows.sort(key=order)
    known = {name for row in rows for record in row.done for name in record.scores}
    real = next((record.real for row in rows for record in row.done), {})
    return Summary(rows, score, real, [name for name in SCORES if name in known])


def as_json(summary: Summary) -> dict[str, Any]:
    """The summary as JSON."""
    best = summary.best
    return {
        "score": summary.score,
        "points": [_row_json(row, summary) for row in summary.rows],
        "best": None if best is None else _row_json(best, summary),
        "real": dict(summary.real),
    }


def to_csv(summary: Summary) -> str:
    """All runs as CSV text, one line for each."""
    keys = list(dict.fromkeys(key for row in summary.rows for key in row.settings))
    columns = ["config", *keys, "seed", "run", "status", "images", "seconds",
               "images_per_second", *summary.names, "exit_code", "error"]  # fmt: skip
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for record in summary.records:
        content = record.as_json() | dict(record.settings)
        content |= {name: record.scores.get(name, "") for name in summary.names}
        writer.writerow({name: content.get(name) for name in columns})
    return buffer.getvalue()


def deviation(values: Sequence[float]) -> float | None:
    """The standard deviation; None of fewer than two values."""
    return stdev(values) if len(values) > 1 else None


def _row_json(row: Row, summary: Summary) -> dict[str, Any]:
    scores = {name: row.values(name) for name in summary.names}
    return {
        "config": row.config,
        "settings": dict(row.settings),
        "status": row.status,
        "images": row.images,
        "images_per_second": row.images_per_second,
        "scores": {name: fmean(values) for name, values in scores.items() if values},
        "std": {name: stdev(values) for name, values in scores.items() if len(values) > 1},
        "runs": [record.as_json() for record in row.records],
    }
