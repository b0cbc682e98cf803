"""The animation of a run."""

from pathlib import Path

import pytest
from PIL import Image

from genctl.common.errors import MissingInput, UsageError
from genctl.reports import film
from genctl.reports.film import encode, film_frames, require_format
from genctl.reports.history import read_history
from genctl.runs.run import Run
from tests.support.written_runs import write_run

GRIDS = (0, 1600, 6400)


def frames_of(path: Path) -> list[Image.Image]:
    run = Run(path)
    return film_frames(run, read_history(run).grids, pytest.fail)


@pytest.mark.parametrize(
    ("suffix", "form"), [(".gif", "GIF"), (".png", "PNG"), (".apng", "PNG"), (".WEBP", "WEBP")]
)
def test_each_grid_is_a_frame_in_order(suffix: str, form: str, tmp_path: Path) -> None:
    frames = frames_of(write_run(tmp_path, "one", grids=GRIDS))
    path = tmp_path / f"film{suffix}"
    require_format(path)
    path.write_bytes(encode(frames, suffix))
    with Image.open(path) as film_:
        assert film_.format == form
        assert film_.n_frames == len(GRIDS)  # type: ignore[attr-defined]
        levels, durations = [], []
        for number in range(len(GRIDS)):
            film_.seek(number)
            film_.load()
            durations.append(film_.info["duration"])
            levels.append(film_.convert("L").getpixel((5, 5)))
        assert film_.info["loop"] == 0
    assert levels == [40, 140, 240]
    assert durations == [500, 500, 2000]


def test_the_images_seen_stand_below_the_samples(tmp_path: Path) -> None:
    first, second, last = frames_of(write_run(tmp_path, "one", grids=GRIDS))
    height = 24 * 15  # 32 pixels are enlarged to 480
    assert first.width == 480
    strips = [frame.crop((0, height, 480, frame.height)) for frame in (first, second, last)]
    blue = [strip.crop((0, 0, 480, 3)).tobytes().count(bytes(film.BAR)) for strip in strips]
    assert blue == [0, 3 * 120, 3 * 480]  # the share of the images
    assert strips[0].getcolors(10_000) != strips[1].getcolors(10_000)  # other digits


def test_large_grids_are_made_smaller(tmp_path: Path) -> None:
    path = write_run(tmp_path, "one", grids=(0, 10))
    for grid in (path / "samples").iterdir():
        Image.new("RGB", (2000, 1000)).save(grid)
    assert {frame.width for frame in frames_of(path)} == {960}


def test_a_long_run_has_a_film_of_bearable_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film, "MAX_FRAMES", 5)
    frames = frames_of(write_run(tmp_path, "one", grids=tuple(range(0, 1000, 10))))
    assert len(frames) == 5


def test_a_run_without_samples_has_no_film(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="samples holds no sample grids; they are written"):
        frames_of(write_run(tmp_path, "one", grids=()))


@pytest.mark.parametrize("name", ["film.mp4", "film", "gif"])
def test_other_formats_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"must end in \.gif, \.png, \.apng, \.webp"):
        require_format(Path(name))
