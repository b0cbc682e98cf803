"""What ``--set`` and ``--search`` of a sweep mean."""

import pytest

from genctl.common.errors import ConfigError, UsageError
from genctl.sweeps.axes import Axis, Range, parse_axes, parse_searches, split_values
from genctl.sweeps.plan import Budget, Point, grid, plan_run, plan_runs, seeds_of


@pytest.mark.parametrize(
    ("text", "parts"),
    [("1,2", ["1", "2"]), ("1", ["1"]), ("", [""]), ("[8,8],[16,[1,2]]", ["[8,8]", "[16,[1,2]]"]),
     ("{a: 1, b: 2},3", ["{a: 1, b: 2}", "3"]), ("'a,b',\"c,'d\"", ["'a,b'", "\"c,'d\""]),
     ("1, 2", ["1", "2"])],
)  # fmt: skip
def test_commas_outside_of_brackets_and_quotes_separate_values(text: str, parts: list[str]) -> None:
    assert split_values(text) == parts


@pytest.mark.parametrize(
    ("options", "message"),
    [(["x.y"], "must look like"), (["=1"], "must look like"), (["x.y=1,"], "a value is missing"),
     (["x.y=1,2,1"], "1 comes twice"), (["x.y=1", "x.y=2"], "--set x.y: given twice")],
)  # fmt: skip
def test_axes_that_mean_nothing_are_refused(options: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_axes(options)


RATE, WIDTH = "optimizer.learning_rate", "networks.z_dim"


@pytest.mark.parametrize(
    ("option", "expected"),
    [(f"{RATE}=1e-4..1e-2", Range(RATE, 1e-4, 1e-2, is_log=True)),
     (f"{RATE}=1e-3..5e-3", Range(RATE, 1e-3, 5e-3)),
     (f"{RATE}=1e-3..5e-3:log", Range(RATE, 1e-3, 5e-3, is_log=True)),
     (f"{RATE}=1e-4..1e-2:linear", Range(RATE, 1e-4, 1e-2)),
     (f"{RATE}=1..5", Range(RATE, 1, 5)),  # not an integer: the setting is none
     (f"{WIDTH}=16..128", Range(WIDTH, 16, 128, is_integer=True)),
     (f"{WIDTH}=8..128", Range(WIDTH, 8, 128, is_integer=True, is_log=True)),
     ("objective.kind=hinge,vae", Axis("objective.kind", ("hinge", "vae")))],
)  # fmt: skip
def test_ranges_and_choices_are_read(option: str, expected: Axis | Range) -> None:
    assert parse_searches([option]) == [expected]


@pytest.mark.parametrize(
    ("option", "message"),
    [(f"{RATE}=1e-3", "must be a range"), (f"{RATE}=a..b", "must be numbers"),
     (f"{RATE}=2..1", "below the second"), (f"{RATE}=1..inf", "below the second"),
     (f"{RATE}=nan..1", "below the second"), (f"{WIDTH}=1.5..3", "is an integer"),
     (f"{RATE}=-1..1:log", "must begin above 0"), (RATE, "must look like")],
)  # fmt: skip
def test_searches_that_mean_nothing_are_refused(option: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_searches([option])


def test_axes_span_a_grid_and_the_first_seeds_come_first() -> None:
    points = grid(["tiny", "digits_gan"], parse_axes([f"{RATE}=1e-3,2e-3", "training.keep=1"]))
    assert points == [
        Point(source, ((RATE, rate), ("training.keep", "1")))
        for source in ("tiny", "digits_gan") for rate in ("1e-3", "2e-3")
    ]  # fmt: skip
    runs = list(plan_runs(points, [0, 1], Budget(images=640)).values())
    assert [run.seed for run in runs] == [0] * 4 + [1] * 4
    assert len({run.name for run in runs}) == 8
    assert runs[0].name.startswith("tiny-640-")
    assert {run.images for run in runs} == {640}
    assert grid(["tiny"], []) == [Point("tiny", ())]


def test_the_name_of_a_run_depends_on_its_budget() -> None:
    point = Point("tiny", ())
    budgets = (Budget(), Budget(640), Budget(seconds=60), Budget(seconds=240))
    names = [plan_run(point, 0, budget).name for budget in budgets]
    assert len(set(names)) == 4
    assert [name.split("-")[1] for name in names] == ["6400", "640", "60s", "240s"]


def test_seeds_begin_with_that_of_the_config_or_are_an_axis() -> None:
    assert seeds_of([], None, "tiny") == ([], [0])
    assert seeds_of([], 3, "tiny") == ([], [0, 1, 2])
    axes = parse_axes(["training.seed=3,5", f"{RATE}=1"])
    assert seeds_of(axes, None, "tiny") == ([axes[1]], [3, 5])
    with pytest.raises(UsageError, match="given twice"):
        seeds_of(axes, 2, "tiny")
    with pytest.raises(UsageError, match="integers"):
        seeds_of(parse_axes(["training.seed=x"]), None, "tiny")


def test_the_problems_of_all_points_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        plan_runs(grid(["tiny"], parse_axes([f"{RATE}=-1,1e-3,x"])), [0, 1], Budget())
    assert len(raised.value.problems) == 2


def test_points_that_train_the_same_run_are_refused() -> None:
    with pytest.raises(UsageError, match="train the same run"):
        plan_runs(grid(["tiny"], parse_axes(["training.keep=1,2"])), [0], Budget())
    with pytest.raises(UsageError, match="train the same run"):
        plan_runs(grid(["tiny"], parse_axes([f"{RATE}=1e-3,0.001"])), [0], Budget())
