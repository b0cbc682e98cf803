"""``scripts/safe_region``: a sweep over two settings as a map."""

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import REPOSITORY

pytest.importorskip("matplotlib", reason="needs matplotlib: install genctl[plot]")

X, Y = "optimizer.learning_rate", "objective.gamma"
Records = list[dict[str, Any]]


@pytest.fixture(scope="module")
def script() -> Iterator[Any]:
    """The script as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "scripts"))
        yield importlib.import_module("safe_region")


def record(y: str, x: str, fid: float | None, seed: int = 0) -> dict[str, Any]:
    """A run with the preset ``tiny``; without an FID it diverged."""
    scores = {"scores": {"fid": fid, "agreement": 0.9, "coverage": 0.8}}
    return {
        "config": "tiny", "seed": seed, "evaluation": None if fid is None else scores,
        "settings": {Y: y, X: x},
    }  # fmt: skip


def draw(script: Any, records: Records) -> tuple[list[list[float]], list[str], list[Any]]:
    """Where each cell is on the colour scale (0 best, nan: none), what it says, and the frames."""
    (axes, _) = script.plot(records, X, Y).axes
    (image,) = axes.images
    shares = image.norm(image.get_array()).filled(float("nan")).tolist()
    return shares, [text.get_text() for text in axes.texts], list(axes.patches)


def test_colours_follow_the_logarithm_of_fid(script: Any) -> None:
    shares, texts, _ = draw(
        script,
        [record("0.1", "1e-3", 0.1), record("0.1", "2e-3", 1.0),
         record("3", "1e-3", 0.1**0.5), record("3", "2e-3", None)],
    )  # fmt: skip
    nan = float("nan")
    assert shares[0] == pytest.approx([0, 1])
    assert shares[1] == pytest.approx([0.5, nan], nan_ok=True)
    assert texts[0].splitlines() == ["0.100", "agreement 0.900", "coverage 0.800"]
    assert texts[3] == "diverged"


def test_a_cell_is_the_mean_of_the_seeds_that_did_not_diverge(script: Any) -> None:
    seeds = [record("1", "1e-3", fid, seed) for seed, fid in enumerate((0.2, 0.6, None))]
    shares, texts, _ = draw(script, [*seeds, record("1", "2e-3", 0.1), record("1", "4e-3", 1.6)])
    assert shares[0] == pytest.approx([0.5, 0, 1])  # 0.4 is halfway from 0.1 to 1.6
    assert texts[0].splitlines()[0] == "0.400"
    assert texts[0].splitlines()[-1] == "1 of 3 diverged"


def test_a_small_difference_looks_small(script: Any) -> None:
    shares, _, _ = draw(script, [record("1", "1e-3", 0.1), record("1", "2e-3", 0.2)])
    assert shares[0] == pytest.approx([0, 0.5])


def test_the_values_of_the_config_are_framed(script: Any) -> None:
    _, _, frames = draw(script, [record("1", "2e-3", 0.1), record("1", "1e-3", 0.4)])
    assert [frame.get_xy() for frame in frames] == [(-0.5, -0.5)]  # tiny: gamma 1 and rate 1e-3


def run(script: Any, records: Records, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run the script as from the command line."""
    results, image = folder / "sweep.jsonl", folder / "map.png"
    results.write_text("".join(json.dumps(record) + "\n" for record in records))
    monkeypatch.setattr(sys, "argv", ["safe_region", str(results), str(image)])
    script.main()
    return image


def test_it_writes_a_png(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = [record(y, x, 0.1) for y in ("0.1", "1") for x in ("1e-3", "2e-3")]
    with Image.open(run(script, grid, tmp_path, monkeypatch)) as image:
        assert image.format == "PNG"


def test_a_map_of_diverged_runs_has_no_colours(script: Any) -> None:
    shares, texts, _ = draw(script, [record("1", "1e-3", None)])
    assert shares[0] == pytest.approx([float("nan")], nan_ok=True)
    assert texts == ["diverged"]


@pytest.mark.parametrize(
    ("change", "words"),
    [({"settings": {"objective.gamma": "1"}}, "not a sweep over optimizer.learning_rate"),
     ({"config": "digits_gan"}, "the runs differ in more than")],
)  # fmt: skip
def test_other_sweeps_are_refused(
    change: dict[str, Any],
    words: str,
    script: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = [record("1", "1e-3", 0.1), record("1", "2e-3", 0.1) | change]
    with pytest.raises(SystemExit, match=words):
        run(script, records, tmp_path, monkeypatch)
