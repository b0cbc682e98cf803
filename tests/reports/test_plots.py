"""The geometry of plots."""

from itertools import pairwise

import pytest

from genctl.reports.plots import (
    HEIGHT,
    LEFT,
    WIDTH,
    Axis,
    Series,
    line_plot,
    linear_ticks,
    log_ticks,
    spread,
    thinned,
    tick_text,
)


def series(*points: tuple[float, float], label: str = "A") -> Series:
    return Series(label, "a run", 0, points)


def test_lines_lie_where_their_values_are() -> None:
    plot = line_plot("t", "x", [series((0, 1), (50, 2), (100, 3))], may_be_log=False)
    assert plot is not None
    corners = [tuple(map(float, pair.split(","))) for pair in plot.lines[0].path.split()]
    assert [x for x, _ in corners] == [plot.left, (plot.left + plot.right) / 2, plot.right]
    heights = [y for _, y in corners]
    assert heights[0] > heights[1] > heights[2]
    assert heights[1] == pytest.approx((heights[0] + heights[2]) / 2, abs=0.1)
    assert (plot.left, plot.width, plot.height) == (LEFT, WIDTH, HEIGHT)


def test_wide_ranges_above_zero_are_logarithmic() -> None:
    assert not Axis([1, 15], 0, 1, may_be_log=True).is_log
    assert Axis([1, 100], 0, 1, may_be_log=True).is_log
    assert not Axis([0, 100], 0, 1, may_be_log=True).is_log
    assert not Axis([1, 100], 0, 1).is_log
    axis = Axis([1, 10_000], 0, 100, may_be_log=True)
    assert [axis(value) for value in (1, 10, 100, 10_000)] == [0, 25, 50, 100]


@pytest.mark.parametrize("value", [0.0, 3.0, -2.0])
def test_a_constant_line_has_a_place(value: float) -> None:
    plot = line_plot("t", "x", [series((0, value), (1, value))])
    assert plot is not None
    assert plot.top < plot.lines[0].markers[0][1] < plot.bottom
    assert plot.y_ticks


def test_a_single_point_is_a_marker() -> None:
    plot = line_plot("t", "x", [series((5, 1))], reference=0.5)
    assert plot is not None
    assert len(plot.lines[0].markers) == 1
    assert plot.reference is not None


def test_without_points_there_is_no_plot() -> None:
    assert line_plot("t", "x", [series()]) is None


def test_ticks_are_round() -> None:
    assert linear_ticks(0, 10) == [0, 2, 4, 6, 8, 10]
    assert linear_ticks(0.03, 0.11) == pytest.approx([0.04, 0.06, 0.08, 0.1])
    assert log_ticks(0.5, 200) == pytest.approx([1, 3, 10, 30, 100])
    assert log_ticks(2, 60) == pytest.approx([2, 5, 10, 20, 50])
    assert list(map(tick_text, (0, 0.05, 20, 1500, 2e6))) == ["0", "0.05", "20", "1.5k", "2M"]


def test_labels_do_not_cover_each_other() -> None:
    ends = {"A": (0, 50), "B": (5, 51), "C": (0, 52), "D": (0, 199)}
    placed = spread(ends, top=0, bottom=200)
    heights = sorted(placed.values())
    assert all(b - a >= 13 for a, b in pairwise(heights))
    assert (placed["A"], placed["D"]) == (50, 199)


def test_labels_at_the_bottom_move_up() -> None:
    ends: dict[str, tuple[float, float]] = {"A": (0, 199), "B": (0, 200), "C": (0, 200)}
    assert sorted(spread(ends, top=0, bottom=200).values()) == [174, 187, 200]


def test_labels_far_apart_stay_where_they_are() -> None:
    ends: dict[str, tuple[float, float]] = {"A": (0, 50), "B": (30, 50), "C": (60, 51)}
    assert spread(ends, top=0, bottom=200) == {"A": 50, "B": 50, "C": 51}


def test_long_lines_are_thinned_but_keep_their_ends() -> None:
    points = [(float(x), float(x)) for x in range(1001)]
    kept = thinned(points, 11)
    assert [x for x, _ in kept] == [100.0 * number for number in range(11)]
    assert thinned(points[:5], 11) == points[:5]
