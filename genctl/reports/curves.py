"""The plots of a report: scores against seconds and images, and losses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from genctl.reports import formats
from genctl.reports.choice import Candidate
from genctl.reports.comparison import scores_on
from genctl.reports.history import OVERALL, Basis, Point
from genctl.reports.plots import Plot, Series, line_plot

MAX_LOSSES = 12  # plots of losses


@dataclass(frozen=True)
class Abscissa:
    """What values are plotted against."""

    title: str  # in the title of the plot
    name: str  # at the axis
    of: Callable[[Point], float | None]


IMAGES = Abscissa("images", "images seen", lambda point: float(point.images))
TIMES = (("hours", 3600), ("minutes", 60))
MIN_UNITS = 3  # a unit of time is used from this many of it on


@dataclass(frozen=True)
class CurvePlots:
    """All plots of a page."""

    main: list[Plot]  # the score that is compared, against time and images
    others: list[Plot]  # the other scores against images
    losses: list[Plot]
    left_out: list[str]  # letters of runs whose curves do not compare with those shown


def curve_plots(candidates: Sequence[Candidate], score: str) -> CurvePlots:
    """Lay out the plots of runs; only scores measured alike lie in one plot.

    Where no run was scored while it trained, each is a point: its evaluation.

    Args:
        candidates: the runs; the index of each chooses its colour.
        score: the name of the score of the main plots.
    """
    basis = _curve_basis(candidates)
    curves = {c.letter: _points(c, basis) for c in candidates}
    names = list(dict.fromkeys(n for points in curves.values() for p in points for n in p.values))
    if "agreement" not in names:
        names = [name for name in names if name != OVERALL]  # it is FID itself
        score = "fid" if score == OVERALL else score
    if score not in names:  # it is measured by evaluations only
        score = next(iter(names), score)
    time = _time_scale(curves.values())
    scored = [c for c in candidates if curves[c.letter]]
    real = next((s.real for c in scored if (s := scores_on(c.history, basis)) and s.real), {})
    main: list[Plot] = []
    others: list[Plot] = []
    for name in sorted(names, key=lambda name: name != score):
        against = [time, IMAGES] if name == score else [IMAGES]
        plots = [_plot(name, x, candidates, curves, real.get(name)) for x in against]
        (main if name == score else others).extend(plot for plot in plots if plot is not None)
    left_out = [c.letter for c in candidates if c.history.score_sets and c not in scored]
    return CurvePlots(main, others, _loss_plots(candidates), left_out)


def _curve_basis(candidates: Sequence[Candidate]) -> Basis | None:
    counts = Counter(c.history.training.basis for c in candidates if c.history.training)
    if not counts:
        counts = Counter(c.history.evaluation.basis for c in candidates if c.history.evaluation)
    return counts.most_common(1)[0][0] if counts else None


def _points(candidate: Candidate, basis: Basis | None) -> list[Point]:
    history = candidate.history
    scores = scores_on(history, basis)
    if scores is None:
        return []
    if scores is history.training:
        return history.curve
    return [Point(history.images, history.seconds, scores.scores)]


def _time_scale(curves: Iterable[list[Point]]) -> Abscissa:
    longest = max((p.seconds for points in curves for p in points if p.seconds), default=0.0)
    name, unit = next(((n, u) for n, u in TIMES if longest > MIN_UNITS * u), ("seconds", 1))
    return Abscissa("time", name, lambda p: None if p.seconds is None else p.seconds / unit)


def _title(score: str, against: str) -> str:
    name = "overall score" if score == OVERALL else formats.score_name(score)
    better = "lower" if score in formats.LOWER_IS_BETTER else "higher"
    return f"{name[0].upper()}{name[1:]} against {against}, {better} is better"


def _plot(
    score: str,
    against: Abscissa,
    candidates: Sequence[Candidate],
    curves: dict[str, list[Point]],
    real: float | None,
) -> Plot | None:
    series = []
    for candidate in candidates:
        points = [
            (x, point.values[score])
            for point in curves[candidate.letter]
            if score in point.values and (x := against.of(point)) is not None
        ]
        series.append(Series(candidate.letter, candidate.name, candidate.index, points))
    if sum(len(one.points) for one in series) < 2:
        return None  # a single value is in the table
    # Shares are read on a linear axis: 0.99 and 0.98 are close, 0.01 and 0.02 too.
    is_log = score in formats.LOWER_IS_BETTER
    title = _title(score, against.title)
    return line_plot(title, against.name, series, real, may_be_log=is_log)


def _loss_plots(candidates: Sequence[Candidate]) -> list[Plot]:
    names = dict.fromkeys(n for c in candidates for p in c.history.losses for n in p.values)
    plots = []
    for name in list(names)[:MAX_LOSSES]:
        series = [
            Series(
                candidate.letter,
                candidate.name,
                candidate.index,
                [
                    (float(p.images), p.values[name])
                    for p in candidate.history.losses
                    if name in p.values
                ],
            )
            for candidate in candidates
        ]
        plot = line_plot(name.replace("/", ": ").replace("_", " "), "images seen", series)
        plots += [] if plot is None else [plot]
    return plots
