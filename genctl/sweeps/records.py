"""What a run of a sweep reached after some images: a file in its run directory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from pydantic import TypeAdapter, ValidationError

from genctl.common import files
from genctl.reports.history import with_overall
from genctl.runs.run import Run
from genctl.sweeps.plan import PlannedRun

FOLDER = "sweep"
DONE = ("complete", "paused")


@dataclass(frozen=True)
class Scoring:
    """How the runs of a sweep are scored."""

    score: str  # the name of the score to compare
    n: int | None = None  # samples of each evaluation; by default as many as `genctl evaluate` has
    seeds: int = 3  # of sampling


@dataclass(frozen=True)
class Record:
    """What became of a run, or of its part up to some images."""

    config: str
    settings: Mapping[str, str]
    seed: int
    run: str  # the run directory
    status: str  # complete, paused, diverged, failed, or unfinished: to be tried again
    images: int = 0
    seconds: float = 0.0  # of all parts of the run
    images_per_second: float = 0.0
    scores: Mapping[str, float] = field(default_factory=dict)
    real: Mapping[str, float] = field(default_factory=dict)  # the same scores of real images
    error: str | None = None
    exit_code: int = 0

    def as_json(self) -> dict[str, Any]:
        """The record as JSON."""
        return asdict(self)


def failure(planned: PlannedRun, run: Run, status: str, error: str, exit_code: int) -> Record:
    """The record of a run that came to nothing; it is not written."""
    settings = dict(planned.point.settings)
    return Record(
        planned.point.config, settings, planned.seed, str(run), status,
        images=run.checkpoint_images, error=error, exit_code=exit_code,
    )  # fmt: skip


def read(planned: PlannedRun, run: Run, images: int, scoring: Scoring) -> Record | None:
    """The record of a run after some images, if it has come so far and was scored in that way.

    A record that cannot be read does not count: the run is scored again.
    """
    path = _path(run, images)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        same = content["scoring"] == [scoring.n, scoring.seeds]
        record = TypeAdapter(Record).validate_python(content["record"])
    except (OSError, ValueError, TypeError, LookupError, ValidationError):
        same, record = False, None
    if same and record is not None:
        return record
    result = run.read_result()
    return _diverged(planned, run, result) if result.get("status") == "diverged" else None


def is_trained(run: Run, images: int) -> bool:
    """Whether a run is complete, or paused after that many images, so that it can be scored."""
    result = run.read_result()
    paused = result.get("stopped_by") == "pause" and result.get("images", 0) >= images
    return run.model.exists() and (paused or result.get("status") == "complete")


def write(
    planned: PlannedRun, run: Run, images: int, scoring: Scoring, evaluation: dict[str, Any]
) -> Record:
    """Write the record of a run that was trained and scored.

    Raises:
        CannotCreate, WriteFailed: the file cannot be written.
    """
    result = run.read_result()
    record = Record(
        planned.point.config,
        dict(planned.point.settings),
        planned.seed,
        str(run),
        "complete" if result.get("status") == "complete" else "paused",
        result.get("images", 0),
        result.get("seconds", 0.0),
        result.get("images_per_second", 0.0),
        with_overall(evaluation["scores"]),
        with_overall(evaluation["real"]),
    )
    path = _path(run, images)
    files.make_folder(path.parent)
    content = {"scoring": [scoring.n, scoring.seeds], "record": record.as_json()}
    files.atomic_write(path, (json.dumps(content, indent=2) + "\n").encode())
    return record


def mean_score(records: Sequence[Record], score: str) -> float | None:
    """The mean of a score over the seeds of a point; None if one of them has none."""
    values = [record.scores.get(score) for record in records if record.status in DONE]
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(records) else None


def _path(run: Run, images: int) -> Path:
    return run.path / FOLDER / f"{images:09d}.json"


def _diverged(planned: PlannedRun, run: Run, result: dict[str, Any]) -> Record:
    settings = dict(planned.point.settings)
    return Record(
        planned.point.config,
        settings,
        planned.seed,
        str(run),
        "diverged",
        result.get("images", 0),
        result.get("seconds", 0.0),
        error=str(result.get("stopped_by", "")),
        exit_code=3,
    )
