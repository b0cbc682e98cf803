"""A picture of a sweep: a score over two of its settings."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from genctl.config import config as configs
from genctl.reports.formats import LOWER_IS_BETTER, score_name
from genctl.reports.formats import score as score_text
from genctl.sweeps.summary import Row, Summary

MIN_COLOUR_RANGE = 4  # from the best to the end of the colours: small differences look small
COLOURS = colormaps["viridis"].with_extremes(bad="0.87")
MAX_CELLS = 12  # values of a setting; with more, points are shown where they are
DPI = 120
INSIDE = ("fid", "agreement", "coverage")
"""Scores written into a cell below the one that colours it."""


def render(summary: Summary, x_key: str, y_key: str) -> bytes:
    """A PNG with a cell for each pair of values, or a mark for each point of a search.

    A cell shows the best of the points in it, which differ in their other settings.
    """
    figure = plot(summary, x_key, y_key)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DPI)
    return content.getvalue()


def plot(summary: Summary, x_key: str, y_key: str) -> Figure:
    """The picture as a figure of matplotlib."""
    xs, ys = (_values(summary.rows, key) for key in (x_key, y_key))
    if max(len(xs), len(ys)) > MAX_CELLS:
        return _scatter(summary, x_key, y_key)
    return _cells(summary, x_key, y_key, xs, ys)


def _cells(
    summary: Summary, x_key: str, y_key: str, xs: Sequence[str], ys: Sequence[str]
) -> Figure:
    best = {}
    for row in reversed(summary.rows):  # the best last
        best[row.settings[x_key], row.settings[y_key]] = row
    values = np.array([[_value(best.get((x, y)), summary.score) for x in xs] for y in ys])
    norm = _norm(values[np.isfinite(values)].tolist(), summary.score)
    figure = Figure(figsize=(2.8 + 1.8 * len(xs), 2.2 + 1.2 * len(ys)), layout="constrained")
    axes = figure.add_subplot()
    shown = np.ma.masked_invalid(values)
    colours = _colours(summary.score)
    image = axes.imshow(shown, colours, norm, origin="lower", aspect="auto")
    _colour_bar(figure, axes, image, norm, summary.score)
    axes.set_xticks(range(len(xs)), xs)
    axes.set_yticks(range(len(ys)), ys)
    _label(axes, summary, x_key, y_key, "; the config's own values are framed")
    own = _own_values(summary.rows[0])
    for line, y in enumerate(ys):
        for column, x in enumerate(xs):
            value = values[line, column]
            dark = math.isfinite(value) and _is_dark(colours(norm(value)))
            text = _text(best.get((x, y)), summary)
            axes.text(
                column, line, text, ha="center", va="center", color="white" if dark else "black"
            )
            if (own.get(x_key), own.get(y_key)) == (_number(x), _number(y)):
                frame = Rectangle((column - 0.5, line - 0.5), 1, 1, fill=False, linewidth=4)
                axes.add_patch(frame)
    return figure


def _scatter(summary: Summary, x_key: str, y_key: str) -> Figure:
    """Each point where its values are; crosses have no score."""
    figure = Figure(figsize=(7.5, 5.5), layout="constrained")
    axes = figure.add_subplot()
    measured = [row for row in summary.rows if math.isfinite(_value(row, summary.score))]
    others = [row for row in summary.rows if row not in measured]
    values = [_value(row, summary.score) for row in measured]
    norm = _norm(values, summary.score)
    for key, axis in ((x_key, "x"), (y_key, "y")):
        _scale(axes, axis, [_number(row.settings[key]) for row in summary.rows])
    image = axes.scatter(
        *_places(measured, x_key, y_key), c=values, cmap=_colours(summary.score), norm=norm,
        s=90, edgecolors="0.2", linewidths=0.6, zorder=2,
    )  # fmt: skip
    axes.scatter(*_places(others, x_key, y_key), c="0.5", marker="x", zorder=1)
    if measured:
        place = _places(measured[:1], x_key, y_key)
        axes.scatter(*place, s=320, facecolors="none", edgecolors="black", linewidths=2, zorder=3)
        _colour_bar(figure, axes, image, norm, summary.score)
    crosses = "; crosses failed" if others else ""
    _label(axes, summary, x_key, y_key, f"; the best is ringed{crosses}")
    axes.grid(color="0.9", zorder=0)
    return figure


def _places(rows: Sequence[Row], x_key: str, y_key: str) -> tuple[list[Any], list[Any]]:
    return (
        [_number(row.settings[x_key]) for row in rows],
        [_number(row.settings[y_key]) for row in rows],
    )


def _scale(axes: Axes, axis: str, values: Sequence[float | str]) -> None:
    numbers = [value for value in values if isinstance(value, float)]
    if len(numbers) == len(values) and min(numbers) > 0 and max(numbers) / min(numbers) >= 10:
        (axes.set_xscale if axis == "x" else axes.set_yscale)("log")


def _label(axes: Axes, summary: Summary, x_key: str, y_key: str, more: str) -> None:
    axes.set_xlabel(x_key)
    axes.set_ylabel(y_key)
    seeds = max(len(row.records) for row in summary.rows)
    mean = f", mean of {seeds} seeds" if seeds > 1 else ""
    others = " · best of the other settings" if _has_others(summary, x_key, y_key) else ""
    sources = dict.fromkeys(Path(row.config).name.removesuffix(".yaml") for row in summary.rows)
    direction = "lower" if summary.score in LOWER_IS_BETTER else "higher"
    axes.set_title(
        f"{_title(summary.score)} of {', '.join(sources)}{mean}{others}\n"
        f"{direction} is better{more}",
        fontsize=10,
    )


def _title(score: str) -> str:
    name = "FID + share of wrong classes" if score == "overall" else score_name(score)
    return name[:1].upper() + name[1:]


def _colour_bar(
    figure: Figure, axes: Axes, image: ScalarMappable, norm: Normalize, score: str
) -> None:
    assert norm.vmin is not None
    assert norm.vmax is not None
    spaced = np.geomspace if isinstance(norm, LogNorm) else np.linspace
    ticks = spaced(norm.vmin, norm.vmax, num=5)
    bar = figure.colorbar(image, ax=axes, label=_title(score), ticks=ticks, format="%.2g")
    bar.minorticks_off()


def _norm(values: Sequence[float], score: str) -> Normalize:
    """Logarithmic for positive scores that are better when low: 0.1 to 0.2 is as 1 to 2."""
    if not values:
        return Normalize(0, 1)
    low, high = min(values), max(values)
    if score in LOWER_IS_BETTER and low > 0:
        return LogNorm(low, max(high, MIN_COLOUR_RANGE * low))
    return Normalize(low, high if high > low else low + (abs(low) or 1) / 10)


def _colours(score: str) -> Any:
    """The best is dark."""
    return COLOURS if score in LOWER_IS_BETTER else COLOURS.reversed()


def _is_dark(colour: Any) -> bool:
    red, green, blue, _ = colour
    return bool(0.299 * red + 0.587 * green + 0.114 * blue < 0.5)


def _text(row: Row | None, summary: Summary) -> str:
    """What is written into a cell."""
    if row is None:
        return "not run"
    if not row.done:
        return row.status
    lines = [score_text(summary.score, fmean(row.values(summary.score)))]
    for name in INSIDE:
        if name != summary.score and row.values(name):
            lines.append(f"{score_name(name)} {score_text(name, fmean(row.values(name)))}")
    if row.status == "paused":
        lines.append(f"paused at {row.images:,.0f}")
    elif len(row.done) < len(row.records):
        lines.append(row.status)
    return "\n".join(lines)


def _value(row: Row | None, score: str) -> float:
    """The mean over the seeds that have the score; NaN if none has."""
    values = row.values(score) if row else []
    return fmean(values) if values else math.nan


def _values(rows: Sequence[Row], key: str) -> list[str]:
    """The values of a setting, numbers in their order."""
    found = list(dict.fromkeys(row.settings[key] for row in rows))
    if all(isinstance(_number(value), float) for value in found):
        return sorted(found, key=float)
    return found


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _own_values(row: Row) -> dict[str, float | str]:
    """The values of the config itself."""
    flat = configs.flatten(configs.load(row.config).model_dump(mode="json"))
    return {key: _number(str(value)) for key, value in flat.items()}


def _has_others(summary: Summary, x_key: str, y_key: str) -> bool:
    places = [(row.settings[x_key], row.settings[y_key]) for row in summary.rows]
    return len(set(places)) < len(places)
