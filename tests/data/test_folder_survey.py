"""What is seen in a folder of pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genctl.common.errors import BadContent, BrokenFiles, MissingInput
from genctl.common.reporting import SILENT
from genctl.data.folder_survey import Survey, asymmetry, survey
from tests.support.picture_folders import write_arrows, write_broken, write_photos, write_picture


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENCTL_CACHE", str(tmp_path_factory.mktemp("cache")))


def look(root: Path, max_broken: float = 0.01) -> Survey:
    return survey(root, None, max_broken, SILENT)


def test_photographs_are_cropped_and_may_be_mirrored(tmp_path: Path) -> None:
    write_photos(tmp_path, 30)
    found = look(tmp_path)
    assert (found.image_size, found.resize, found.coloured) == (32, "crop", 1.0)
    assert (found.smallest, found.largest, found.shorter_side) == ((40, 30), (40, 30), 30)
    assert found.asymmetry < 0.05
    assert (found.duplicates, found.transparent, found.class_counts) == (0, 0, {})


def test_what_points_to_one_side_is_asymmetric(tmp_path: Path) -> None:
    write_arrows(tmp_path, 30)
    found = look(tmp_path)
    assert found.asymmetry > 0.5
    assert (found.ground, found.coloured) == ("white", 0.0)


def test_asymmetry_is_in_standard_deviations_of_a_class() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(128, 10, (4000, 8, 8)).astype(np.float32)
    assert asymmetry(noise, [None] * 4000) < 0.02
    noise[:, :, :4] += 10  # one standard deviation between the halves
    assert asymmetry(noise, [None] * 4000) == pytest.approx(1, abs=0.05)
    labels = ["a", "b"] * 2000
    noise[::2] = noise[::2, :, ::-1]  # opposite classes, whose common mean is symmetric
    assert asymmetry(noise, labels) == pytest.approx(1, abs=0.05)
    assert asymmetry(noise, [None] * 4000) < 0.02


def test_drawings_on_a_plain_ground_are_padded(tmp_path: Path) -> None:
    for number in range(5):
        drawing = Image.new("L", (60, 30), 255)
        drawing.paste(0, (10 + number, 10, 50, 20))
        drawing.save(tmp_path / f"{number}.png")
    found = look(tmp_path)
    assert (found.resize, found.ground, found.square) == ("pad", "white", False)


def test_transparent_pictures_are_padded_on_the_ground_that_suits_most(tmp_path: Path) -> None:
    for number, level in enumerate((10, 20, 240)):
        picture = Image.new("LA", (60, 30), (0, 0))
        picture.paste((level, 255), (10, 10, 50, 20))
        picture.save(tmp_path / f"{number}.png")
    found = look(tmp_path)
    assert (found.resize, found.ground, found.transparent) == ("pad", "white", 3)


def test_classes_duplicates_and_broken_files_are_counted(tmp_path: Path) -> None:
    for name, level_count in (("a", 3), ("b", 5)):
        for number in range(level_count):
            write_picture(tmp_path / name / f"{number}.png", 40 * (number % 4) + level_count)
    write_broken(tmp_path / "a" / "x.png")
    found = look(tmp_path, max_broken=0.2)
    assert found.class_counts == {"a": 3, "b": 5}
    assert (found.count, found.duplicates) == (8, 1)
    assert list(found.broken) == ["a/x.png"]
    with pytest.raises(BrokenFiles, match="1 of 9 pictures are broken"):
        look(tmp_path)


def test_what_cannot_be_trained_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="not a folder"):
        look(tmp_path / "nowhere")
    with pytest.raises(BadContent, match="it has no pictures"):
        look(tmp_path)
    write_picture(tmp_path / "a" / "1.png")
    with pytest.raises(BadContent, match="it has 1 picture, and"):
        look(tmp_path)
    (tmp_path / "a" / "1.png").unlink()
    for name in ("1.png", "2.png"):
        write_broken(tmp_path / name)
    with pytest.raises(BrokenFiles, match="2 of 2"):
        look(tmp_path)


def test_pictures_in_the_folder_test_are_counted_apart(tmp_path: Path) -> None:
    for name, count in (("train/a", 3), ("train/b", 5), ("test/a", 2), ("test/b", 1)):
        for number in range(count):
            write_picture(tmp_path / name / f"{number}.png", 40 * number)
    found = look(tmp_path)
    assert (found.count, found.test_count, found.class_counts) == (8, 3, {"a": 3, "b": 5})
