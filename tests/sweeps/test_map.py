"""A sweep as a map of two of its settings."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("matplotlib", reason="needs matplotlib: install genctl[plot]")

from genctl.sweeps import map as maps
from genctl.sweeps.records import Record
from genctl.sweeps.summary import summarize
from tests.support.sweeps import RATES, sweep

X, Y = "optimizer.learning_rate", "objective.gamma"


def record(y: str, x: str, fid: float | None, seed: int = 0, **others: str) -> Record:
    """A run with the preset ``tiny``; without an FID it diverged."""
    settings = {Y: y, X: x, **others}
    if fid is None:
        return Record("tiny", settings, seed, "runs/a", "diverged", exit_code=3)
    scores = {"fid": fid, "agreement": 0.9, "coverage": 0.8}
    return Record("tiny", settings, seed, "runs/a", "complete", scores=scores)


def axes_of(records: Sequence[Record], score: str = "fid") -> Any:
    """The axes of the map."""
    return maps.plot(summarize(records, score), X, Y).axes[0]


def draw(records: Sequence[Record], score: str = "fid") -> tuple[list[Any], list[str], list[Any]]:
    """Where each cell is on the colour scale (0 best, nan: none), what it says, and the frames."""
    axes = axes_of(records, score)
    (image,) = axes.images
    shares = image.norm(image.get_array()).filled(float("nan")).tolist()
    return shares, [text.get_text() for text in axes.texts], list(axes.patches)


def test_colours_follow_the_logarithm_of_fid() -> None:
    shares, texts, _ = draw(
        [record("0.1", "1e-3", 0.1), record("0.1", "2e-3", 1.0),
         record("3", "1e-3", 0.1**0.5), record("3", "2e-3", None)],
    )  # fmt: skip
    nan = float("nan")
    assert shares[0] == pytest.approx([0, 1])
    assert shares[1] == pytest.approx([0.5, nan], nan_ok=True)
    assert texts[0].splitlines() == ["0.100", "agreement 90.0 %", "coverage 0.800"]
    assert texts[3] == "diverged"


def test_a_cell_is_the_mean_of_the_seeds_that_did_not_diverge() -> None:
    seeds = [record("1", "1e-3", fid, seed) for seed, fid in enumerate((0.2, 0.6, None))]
    shares, texts, _ = draw([*seeds, record("1", "2e-3", 0.1), record("1", "4e-3", 1.6)])
    assert shares[0] == pytest.approx([0.5, 0, 1])  # 0.4 is halfway from 0.1 to 1.6
    assert texts[0].splitlines()[0] == "0.400"
    assert texts[0].splitlines()[-1] == "2 complete, 1 diverged"


def test_a_small_difference_looks_small() -> None:
    shares, _, _ = draw([record("1", "1e-3", 0.1), record("1", "2e-3", 0.2)])
    assert shares[0] == pytest.approx([0, 0.5])


def test_the_values_of_the_config_are_framed() -> None:
    _, _, frames = draw([record("1", "2e-3", 0.1), record("1", "1e-3", 0.4)])
    assert [frame.get_xy() for frame in frames] == [(-0.5, -0.5)]  # tiny: gamma 1 and rate 1e-3


def test_a_map_of_diverged_runs_has_no_colours() -> None:
    shares, texts, _ = draw([record("1", "1e-3", None)])
    assert shares[0] == pytest.approx([float("nan")], nan_ok=True)
    assert texts == ["diverged"]


def test_a_cell_shows_the_best_of_what_else_differs() -> None:
    records = [record("1", "1e-3", 0.3, others="4"), record("1", "1e-3", 0.2, others="8")]
    _, texts, _ = draw([*records, record("1", "2e-3", 0.4, others="4")])
    assert [text.splitlines()[0] for text in texts] == ["0.200", "0.400"]


def test_numbers_are_in_their_order_and_words_in_theirs() -> None:
    records = [record(y, x, 0.1) for y in ("hinge", "vae") for x in ("1e-2", "3", "0.5")]
    axes = axes_of(records)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1e-2", "0.5", "3"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["hinge", "vae"]


def test_scores_that_are_better_when_high_have_the_colours_reversed() -> None:
    axes = axes_of([record("1", "1e-3", 0.1)], "coverage")
    assert axes.images[0].cmap.name == "viridis_r"


def test_many_values_are_shown_where_they_are() -> None:
    records = [record(f"{0.1 * n}", f"{1e-4 * n}", 0.1 * n) for n in range(1, 20)]
    axes = axes_of([*records, record("7", "1e-3", None)])
    assert not axes.images
    points, crosses, ring = axes.collections
    assert len(points.get_offsets()) == 19
    assert ring.get_offsets().tolist() == [[1e-4, 0.1]]
    assert crosses.get_offsets().tolist() == [[1e-3, 7.0]]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


def test_the_command_writes_a_png(tmp_path: Path) -> None:
    grid = ("--set", f"{RATES}=1e-3,1e-2", "--set", "objective.gamma=0.1,1", "--json")
    done = sweep(tmp_path, *grid, "--map", "maps/map.png")
    assert (done.code, done.json["map"]) == (0, "maps/map.png"), done.err
    content = (tmp_path / "maps/map.png").read_bytes()
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "PNG"


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--set", f"{RATES}=1e-3,1e-2"], "must vary two settings"),
     (["--set", f"{RATES}=1e-3,1e-2", "--set", "objective.gamma=1", "--y", "objective.gamma"],
      "does not vary this setting"),
     (["--set", f"{RATES}=1e-3,1e-2", "--set", "objective.gamma=1,2", "--x", RATES, "--y", RATES],
      "both axes are"),
     (["--map", "map.jpg"], "must end in .png")],
)  # fmt: skip
def test_a_map_that_cannot_be_drawn_is_refused_before_anything_is_trained(
    words: list[str], message: str, tmp_path: Path
) -> None:
    done = sweep(tmp_path, "--map", "map.png", *words)
    assert done.code == 2
    assert message in done.err
    assert list(tmp_path.iterdir()) == []
