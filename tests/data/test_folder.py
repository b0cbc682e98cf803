"""Folders of pictures as training data."""

from pathlib import Path

import pytest
from PIL import Image

from genctl.common.errors import BadContent, MissingInput
from genctl.data.folder import Folder


def picture(path: Path, level: int = 0, size: tuple[int, int] = (8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, level).save(path)


def levels(folder: Folder, split: str = "train") -> list[int]:
    """The level of each picture; all pixels of a picture have the same."""
    return folder.load(split).pixels[:, 0, 0, 0].tolist()  # type: ignore[arg-type]


def test_each_subfolder_is_a_class_in_the_order_of_names(tmp_path: Path) -> None:
    for label, name in enumerate(("zebra", "ant", "cat")):
        picture(tmp_path / name / "1.png", label)
        picture(tmp_path / name / "2.JPG", label)
    images = Folder(root=str(tmp_path), image_size=8, test_fraction=0).load("train")
    assert images.classes == ("ant", "cat", "zebra")
    assert images.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert images.pixels[:, 0, 0, 0].tolist() == [1, 1, 2, 2, 0, 0]


def test_a_flat_folder_has_no_classes_and_other_files_are_ignored(tmp_path: Path) -> None:
    for level in (3, 1, 2):
        picture(tmp_path / f"{level}.png", level)
    (tmp_path / "notes.txt").write_text("hello")
    images = Folder(root=str(tmp_path), image_size=8, test_fraction=0).load("train")
    assert images.classes == ()
    assert images.labels.tolist() == [0, 0, 0]
    assert images.pixels[:, 0, 0, 0].tolist() == [1, 2, 3]


def test_folders_named_train_and_test_are_the_splits(tmp_path: Path) -> None:
    for split, level in (("train", 1), ("test", 2)):
        for name in ("a", "b"):
            picture(tmp_path / split / name / "x.png", level)
    folder = Folder(root=str(tmp_path), image_size=8)
    assert (levels(folder, "train"), levels(folder, "test")) == ([1, 1], [2, 2])
    assert folder.load("test").classes == ("a", "b")


def test_every_picture_is_in_one_split_and_stays_there_when_others_are_added(
    tmp_path: Path,
) -> None:
    for level in range(100):
        picture(tmp_path / f"{level}.png", level)
    folder = Folder(root=str(tmp_path), image_size=8, test_fraction=0.25)
    train, test = levels(folder, "train"), levels(folder, "test")
    assert sorted(train + test) == list(range(100))
    assert 10 <= len(test) <= 40
    for level in range(100, 200):
        picture(tmp_path / f"{level}.png", level)
    assert set(test) <= set(levels(folder, "test"))


def test_a_wide_picture_is_cropped_to_its_centre(tmp_path: Path) -> None:
    wide = Image.new("L", (24, 8), 0)
    wide.paste(200, (8, 0, 16, 8))
    wide.save(tmp_path / "wide.png")
    (pixels,) = Folder(root=str(tmp_path), image_size=8, test_fraction=0).load("train").pixels
    assert pixels.unique().tolist() == [200]


def test_colour_is_kept_or_converted_to_grey(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), (200, 100, 50)).save(tmp_path / "a.png")
    root = str(tmp_path)
    colour = Folder(root=root, image_size=8, channels=3, test_fraction=0).load("train").pixels
    grey = Folder(root=root, image_size=8, channels=1, test_fraction=0).load("train").pixels
    assert colour[0, :, 0, 0].tolist() == [200, 100, 50]
    assert grey[0, 0, 0, 0].item() == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "good.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "good.png").read_bytes()[:40])
    with pytest.raises(BadContent, match=r"broken\.png"):
        Folder(root=str(tmp_path), image_size=8, test_fraction=0).load("train")


def test_an_empty_folder_and_a_missing_one_have_different_errors(tmp_path: Path) -> None:
    with pytest.raises(BadContent, match="no train pictures"):
        Folder(root=str(tmp_path), image_size=8).load("train")
    with pytest.raises(MissingInput, match="nowhere"):
        Folder(root=str(tmp_path / "nowhere"), image_size=8).load("train")
