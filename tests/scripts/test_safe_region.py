"""``scripts/safe_region``: a sweep over two settings as a picture."""

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import REPOSITORY

Draw = Callable[[list[dict[str, Any]]], Image.Image]


@pytest.fixture(scope="module")
def module() -> Iterator[Any]:
    """The script as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "scripts"))
        yield importlib.import_module("safe_region")


@pytest.fixture
def draw(module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Draw:
    def drawn(records: list[dict[str, Any]]) -> Image.Image:
        numbers, picture = tmp_path / "sweep.jsonl", tmp_path / "map.png"
        numbers.write_text("".join(json.dumps(record) + "\n" for record in records))
        monkeypatch.setattr(sys, "argv", ["safe_region", str(numbers), str(picture)])
        module.main()
        return Image.open(picture)

    return drawn


def test_the_best_cell_is_teal_the_worst_red_and_a_diverged_one_grey(
    module: Any, draw: Draw
) -> None:
    picture = draw(
        [_run("0.1", "1e-3", 0.1), _run("0.1", "2e-3", 1.0), _run("3", "1e-3", 0.1**0.5),
         _run("3", "2e-3", None)]
    )  # fmt: skip
    assert _ground(module, picture, 0, 1) == module.GOOD  # gamma grows upwards
    assert _ground(module, picture, 1, 1) == module.BAD
    assert _ground(module, picture, 0, 0) == module.MIDDLE  # by the logarithm
    assert _ground(module, picture, 1, 0) == module.GREY


def test_a_cell_is_the_mean_of_its_seeds_and_a_diverged_seed_does_not_count(
    module: Any, draw: Draw
) -> None:
    seeds = [
        _run("1", "1e-3", 0.2),
        _run("1", "1e-3", 0.6, seed=1),
        _run("1", "1e-3", None, seed=2),
    ]
    others = [_run("1", "2e-3", 0.1), _run("1", "4e-3", 1.6), _run("1", "8e-3", 0.8)]
    picture = draw([*seeds, *others])
    assert _ground(module, picture, 0, 0) == module.MIDDLE  # .4 lies halfway from .1 to 1.6
    assert _ground(module, picture, 1, 0) == module.GOOD
    between = [(a + b) // 2 for a, b in zip(module.MIDDLE, module.BAD, strict=True)]
    assert _ground(module, picture, 3, 0) == pytest.approx(between, abs=1)


def test_a_small_difference_looks_small(module: Any, draw: Draw) -> None:
    picture = draw([_run("1", "1e-3", 0.1), _run("1", "2e-3", 0.2)])
    assert _ground(module, picture, 1, 0) == module.MIDDLE


def test_the_cell_of_the_preset_is_framed(module: Any, draw: Draw) -> None:
    picture = draw([_run("1", "1e-3", 0.1), _run("1", "2e-3", 0.4)])
    edge = module.TOP + module.CELL_HEIGHT // 2
    frames = [
        picture.getpixel((module.LEFT + column * (module.CELL_WIDTH + module.GAP) + 2, edge))
        for column in range(2)
    ]
    assert frames == [module.INK, module.BAD]  # tiny has gamma 1 and rate 1e-3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sets": {"objective.gamma": "1"}}, "no sweep over optimizer.learning_rate"),
        ({"config": "digits_gan"}, "differs between runs"),
    ],
)
def test_other_sweeps_are_refused(change: dict[str, Any], words: str, draw: Draw) -> None:
    with pytest.raises(SystemExit, match=words):
        draw([_run("1", "1e-3", 0.1), _run("1", "2e-3", 0.1) | change])


def _run(gamma: str, rate: str, fid: float | None, seed: int = 0) -> dict[str, Any]:
    scores = {"scores": {"fid": fid, "agreement": 0.9, "coverage": 0.8}}
    return {
        "config": "tiny", "seed": seed, "evaluation": None if fid is None else scores,
        "sets": {"objective.gamma": gamma, "optimizer.learning_rate": rate},
    }  # fmt: skip


def _ground(module: Any, picture: Image.Image, column: int, row: int) -> Any:
    """The colour of a cell, counted from the left and from above."""
    left = module.LEFT + column * (module.CELL_WIDTH + module.GAP)
    top = module.TOP + row * (module.CELL_HEIGHT + module.GAP)
    return picture.getpixel((left + 20, top + 12))
