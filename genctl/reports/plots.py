"""Line plots as geometry; the template draws them, so that all text is escaped there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 460, 290
LEFT, RIGHT, TOP, BOTTOM = 52, 34, 12, 42
MAX_POINTS = 300  # of a line
MAX_MARKERS = 9  # of a line
LABEL_WIDTH, LABEL_HEIGHT = 16, 13
LOG_RATIO = 20  # a range wider than this is shown on a logarithmic axis
PADDING = 0.04  # of the height, above and below the lines


@dataclass(frozen=True)
class Series:
    """One line: the values of one run."""

    label: str  # a letter
    name: str
    index: int  # chooses colour, dashes and markers
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """A series in the coordinates of the picture."""

    series: Series
    path: str  # "x,y x,y …"
    markers: list[tuple[float, float, str]]  # x, y, text
    label_x: float
    label_y: float


@dataclass(frozen=True)
class Plot:
    """A plot in the coordinates of the picture."""

    title: str
    x_name: str
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    lines: list[Line]
    reference: float | None  # y of the values of real images
    summary: str  # for those who do not see it
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


class Axis:
    """Maps values to one direction of the picture."""

    def __init__(
        self,
        values: Sequence[float],
        start: float,
        end: float,
        *,
        is_y: bool = False,
        may_be_log: bool = False,
    ) -> None:
        low, high = min(values), max(values)
        self.is_log = may_be_log and low > 0 and high / low > LOG_RATIO
        if not self.is_log and not is_y:
            low = min(low, 0.0)
        self.low, self.high = self._scaled(low), self._scaled(high)
        if self.high == self.low:
            self.low, self.high = self.low - (abs(self.low) or 1) / 2, self.high + 0.5
        if is_y:
            padding = PADDING * (self.high - self.low)
            self.low, self.high = self.low - padding, self.high + padding
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        """The coordinate of a value."""
        share = (self._scaled(value) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Coordinates and texts of about five round numbers."""
        if self.is_log:
            values = log_ticks(10**self.low, 10**self.high)
        else:
            values = linear_ticks(self.low, self.high)
        return [(self(value), tick_text(value)) for value in values]

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.is_log else value


def line_plot(
    title: str,
    x_name: str,
    series: Sequence[Series],
    reference: float | None = None,
    *,
    may_be_log: bool = True,
) -> Plot | None:
    """Lay out a plot; None if there is nothing to show.

    Args:
        title: what is shown.
        x_name: what it is shown against.
        series: the lines.
        reference: the value of real images.
        may_be_log: whether a wide range of values is shown on a logarithmic axis.
    """
    series = [Series(s.label, s.name, s.index, thinned(s.points)) for s in series if s.points]
    if not series:
        return None
    ys = [y for one in series for _, y in one.points]
    ys += [] if reference is None else [reference]
    x_axis = Axis([x for one in series for x, _ in one.points], LEFT, WIDTH - RIGHT)
    y_axis = Axis(ys, HEIGHT - BOTTOM, TOP, is_y=True, may_be_log=may_be_log)
    ends = {one.label: (x_axis(one.points[-1][0]), y_axis(one.points[-1][1])) for one in series}
    label_ys = spread(ends, TOP + 4, HEIGHT - BOTTOM)
    lines = [_line(one, x_axis, y_axis, label_ys[one.label]) for one in series]
    summary = "; ".join(
        f"{one.label} {one.name}: from {tick_text(one.points[0][1])} to "
        f"{tick_text(one.points[-1][1])}"
        for one in series
    )
    height = None if reference is None else y_axis(reference)
    logarithmic = " (logarithmic)" if y_axis.is_log else ""
    return Plot(title + logarithmic, x_name, x_axis.ticks(), y_axis.ticks(), lines, height, summary)


def _line(series: Series, x_axis: Axis, y_axis: Axis, label_y: float) -> Line:
    path = " ".join(f"{x_axis(x)},{y_axis(y)}" for x, y in series.points)
    markers = [
        (x_axis(x), y_axis(y), f"{series.label} {series.name}: {tick_text(y)} at {tick_text(x)}")
        for x, y in thinned(series.points, MAX_MARKERS)
    ]
    return Line(series, path, markers, x_axis(series.points[-1][0]) + 9, label_y + 4)


def thinned(
    points: Sequence[tuple[float, float]], most: int = MAX_POINTS
) -> Sequence[tuple[float, float]]:
    """At most ``most`` points, evenly chosen, the first and the last among them."""
    if len(points) <= most:
        return points
    step = (len(points) - 1) / (most - 1)
    return [points[round(number * step)] for number in range(most)]


def spread(ends: Mapping[str, tuple[float, float]], top: float, bottom: float) -> dict[str, float]:
    """Heights of labels near the ends (x, y) of their lines, none on another, if they fit."""

    def placed(order: list[str], wanted: dict[str, float], step: float) -> dict[str, float]:
        heights: dict[str, float] = {}
        for label in order:
            height = min(max(wanted[label], top), bottom)
            for other in heights:  # in the order of their heights
                beside = abs(ends[other][0] - ends[label][0]) < LABEL_WIDTH
                if beside and abs(heights[other] - height) < LABEL_HEIGHT:
                    height = heights[other] + step
            heights[label] = height
        return heights

    wanted = {label: height for label, (_, height) in ends.items()}
    down = placed(sorted(wanted, key=lambda label: wanted[label]), wanted, LABEL_HEIGHT)
    if max(down.values()) <= bottom:
        return down
    return placed(sorted(down, key=lambda label: -down[label]), down, -LABEL_HEIGHT)


def linear_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, between ``low`` and ``high``."""
    raw = (high - low) / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, with 2 and 5 times of them where there are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors: tuple[int, ...] = (1,) if len(powers) > 6 else (1, 3) if len(powers) > 3 else (1, 2, 5)
    values = [factor * 10.0**power for power in powers for factor in factors]
    return [value for value in values if low <= value <= high]


def tick_text(value: float) -> str:
    """A number as short as it can be: ``0.05``, ``20k``, ``1.5M``."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:.3g}"
