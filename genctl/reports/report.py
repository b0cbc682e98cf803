"""What a report shows: the table, the answer, the plots and the samples of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genctl.common.errors import MissingInput
from genctl.reports import formats
from genctl.reports.choice import Candidate, Choice, choose
from genctl.reports.comparison import basis_difference, main_basis, scores_on
from genctl.reports.curves import CurvePlots, curve_plots
from genctl.reports.grids import EmbeddedGrid, Notify, embed, read_grids
from genctl.reports.history import OVERALL, History, ScoreSet, read_history
from genctl.runs.run import Run
from genctl.runs.table import differing_settings, headings

MAX_SHOWN = 12  # runs in plots and pictures; the table has all
MAX_GRIDS = 16  # of each run

UNRANKED = ("density",)  # scores of which more is not simply better


@dataclass(frozen=True)
class Row:
    """A row of the table: one run."""

    candidate: Candidate
    settings: dict[str, Any]
    scores: ScoreSet | None
    note: int | None  # which note says how these scores differ from those compared


@dataclass(frozen=True)
class RunGrids:
    """The sample grids of one run."""

    candidate: Candidate
    grids: list[EmbeddedGrid]
    difference: str  # what keeps it from showing the same as the first run; mostly empty


@dataclass(frozen=True)
class Report:
    """Everything that the page shows."""

    rows: list[Row]
    choice: Choice
    keys: dict[str, str]  # settings that differ -> their short names
    score_names: list[str]
    real: dict[str, float]
    judge_accuracy: float | None  # of the compared scores
    best: dict[str, float]  # of each score, among the runs that compare
    notes: list[str]
    curves: CurvePlots
    grids: list[RunGrids]
    shown: int  # runs in plots and pictures

    @property
    def steps(self) -> list[int]:
        """The positions of the slider: images seen at any of the grids."""
        return sorted({grid.images for run in self.grids for grid in run.grids})


def build_report(runs: Sequence[Run], score: str | None, warn: Notify) -> Report:
    """Read the runs and decide what the page shows, the best run first.

    Args:
        runs: the runs.
        score: the name of the score to compare by; by default the overall one.
        warn: called with a line for each picture that cannot be read.

    Raises:
        MissingInput: there are no runs.
        UsageError: no run has that score.
    """
    if not runs:
        raise MissingInput(
            "cannot write a report: there are no runs; train one with "
            "`genctl train --config digits_cgan`, or name another folder with --runs"
        )
    settings = differing_settings(list(runs))
    histories = [read_history(run) for run in runs]
    basis = main_basis(histories)
    histories.sort(key=lambda history: _rank(scores_on(history, basis), score))
    candidates = [
        Candidate(number, name, history, scores_on(history, basis))
        for number, (history, name) in enumerate(
            zip(histories, _unique_names(histories), strict=True)
        )
    ]
    choice = choose(candidates, basis, score)
    keys = list(next(iter(settings.values())))
    rows, notes = _rows(candidates, choice, settings)
    names = list(dict.fromkeys(name for row in rows if row.scores for name in row.scores.scores))
    if "agreement" not in names and OVERALL in names:
        names.remove(OVERALL)  # it is FID itself
    compared = [row.scores for row in rows if row.scores is not None and row.note is None]
    shown = candidates[:MAX_SHOWN]
    return Report(
        rows=rows,
        choice=choice,
        keys=headings(keys),
        score_names=names,
        real=next((scores.real for scores in compared if scores.real), {}),
        judge_accuracy=compared[0].judge_accuracy if compared else None,
        best=_best_values(names, compared),
        notes=notes,
        curves=curve_plots(shown, score or OVERALL),
        grids=_grids(shown, settings, warn),
        shown=len(shown),
    )


def as_json(report: Report) -> dict[str, Any]:
    """The answer and the rows of the table, for programs."""
    choice = report.choice
    return {
        "score": choice.score,
        "best": choice.best.name if choice.best else None,
        "cheapest": choice.cheapest.name if choice.cheapest else None,
        "answer": choice.answer,
        "caveats": choice.caveats,
        "runs": [
            {
                "run": row.candidate.name,
                "letter": row.candidate.letter,
                "status": row.candidate.history.status,
                "images": row.candidate.history.images,
                "seconds": row.candidate.history.seconds,
                "images_per_second": row.candidate.history.images_per_second,
                "parameters": row.candidate.history.parameters,
                "settings": row.settings,
                "scores": row.scores.scores if row.scores else {},
                "comparable": row.scores is not None and row.note is None,
            }
            for row in report.rows
        ],
    }


def _rank(scores: ScoreSet | None, score: str | None) -> float:
    name = score or OVERALL
    if scores is None or name not in scores.scores:
        return float("inf")
    value = scores.scores[name]
    return value if name in formats.LOWER_IS_BETTER else -value


def _unique_names(histories: Sequence[History]) -> list[str]:
    """The names of the runs; their paths, where runs in different folders have the same name."""
    names = [history.name for history in histories]
    return [
        name if names.count(name) == 1 else str(history.run)
        for name, history in zip(names, histories, strict=True)
    ]


def _rows(
    candidates: Sequence[Candidate], choice: Choice, settings: dict[Run, dict[str, Any]]
) -> tuple[list[Row], list[str]]:
    notes: dict[str, int] = {}
    rows = []
    for candidate in candidates:
        history, scores, note = candidate.history, candidate.scores, None
        if scores is None and history.score_sets and choice.basis is not None:
            scores = history.score_sets[0]
            text = f"measured with {basis_difference(history, choice.basis)}"
            note = notes.setdefault(text, len(notes) + 1)
        rows.append(Row(candidate, settings[history.run], scores, note))
    return rows, list(notes)


def _best_values(names: Sequence[str], compared: Sequence[ScoreSet]) -> dict[str, float]:
    if len(compared) < 2:
        return {}
    best = {}
    for name in names:
        values = [scores.scores[name] for scores in compared if name in scores.scores]
        if len(set(values)) > 1 and name not in UNRANKED:
            best[name] = min(values) if name in formats.LOWER_IS_BETTER else max(values)
    return best


def _grids(
    candidates: Sequence[Candidate], settings: dict[Run, dict[str, Any]], warn: Notify
) -> list[RunGrids]:
    found: list[RunGrids] = []
    for candidate in candidates:
        pictures = read_grids(candidate.history.grids, MAX_GRIDS, warn)
        if pictures:
            first = found[0].candidate if found else candidate
            difference = _difference(candidate, first, settings)
            grids = [embed(images, picture) for images, picture in pictures]
            found.append(RunGrids(candidate, grids, difference))
    return found


def _difference(candidate: Candidate, first: Candidate, settings: dict[Run, dict[str, Any]]) -> str:
    """Whether the samples of a run have other conditions or z than those of the first."""
    own, other = candidate.history, first.history

    def differs(key: str) -> bool:
        return bool(settings[own.run].get(key) != settings[other.run].get(key))

    if own.environment.get("data") != other.environment.get("data") or differs("condition.kind"):
        return "other conditions"
    return "other z" if differs("training.seed") or differs("networks.z_dim") else ""
