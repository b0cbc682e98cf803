"""The plots of a report: scores against seconds and images, and losses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from genctl.reports import formats
from genctl.reports.choice import Candidate
from genctl.reports.comparison import scores_on
from genctl.reports.history import OVERALL, Basis
from genctl.reports.plots import Plot, Series, line_plot

MAX_LOSSES = 12  # plots of losses


@dataclass(frozen=True)
class CurvePlots:
    """All plots of a page."""

    main: list[Plot]  # the score that is compared, against seconds and images
    others: list[Plot]  # the other scores against images
    losses: list[Plot]
    left_out: list[str]  # letters of runs whose curves do not compare with those shown


def curve_plots(candidates: Sequence[Candidate], score: str) -> CurvePlots:
    """Lay out the plots of runs; only curves measured alike lie in one plot.

    Args:
        candidates: the runs; the position of each chooses its colour.
        score: the name of the score of the main plots.
    """
    basis = _curve_basis(candidates)
    with_curve = [c for c in candidates if c.history.curve]
    shown = [
        c
        for c in candidates
        if c.history.curve and c.history.training and c.history.training.basis == basis
    ]
    scores = list(dict.fromkeys(n for c in shown for p in c.history.curve for n in p.values))
    if "agreement" not in scores:
        scores = [name for name in scores if name != OVERALL]  # it is FID itself
        score = "fid" if score == OVERALL else score
    real = next((s.real for c in shown if (s := scores_on(c.history, basis)) and s.real), {})
    main, others = [], []
    for name in sorted(scores, key=lambda name: name != score):
        by_images = _plot(
            _title(name, "images"), "images seen", shown, name, real.get(name), seconds=False
        )
        if name == score:
            by_seconds = _plot(
                _title(name, "time"), "seconds", shown, name, real.get(name), seconds=True
            )
            main = [plot for plot in (by_seconds, by_images) if plot is not None]
        elif by_images is not None:
            others.append(by_images)
    left_out = [c.letter for c in with_curve if c not in shown]
    return CurvePlots(main, others, _loss_plots(candidates), left_out)


def _title(score: str, against: str) -> str:
    name = "overall score" if score == OVERALL else formats.score_name(score)
    better = "lower" if score in formats.LOWER_IS_BETTER else "higher"
    return f"{name[0].upper()}{name[1:]} against {against}, {better} is better"


def _curve_basis(candidates: Sequence[Candidate]) -> Basis | None:
    counts = Counter(c.history.training.basis for c in candidates if c.history.training)
    return counts.most_common(1)[0][0] if counts else None


def _plot(
    title: str,
    x_name: str,
    shown: Sequence[Candidate],
    score: str,
    real: float | None,
    seconds: bool,
) -> Plot | None:
    series = []
    for candidate in shown:
        points = [
            (float(x), point.values[score])
            for point in candidate.history.curve
            if score in point.values
            and (x := point.seconds if seconds else point.images) is not None
        ]
        series.append(Series(candidate.letter, candidate.name, candidate.index, points))
    # Shares are read on a linear axis: 0.99 and 0.98 are close, 0.01 and 0.02 too.
    is_log = score in formats.LOWER_IS_BETTER
    return line_plot(title, x_name, series, real, may_be_log=is_log)


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
