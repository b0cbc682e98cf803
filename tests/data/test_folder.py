"""Folders of pictures as training data."""

import os
from pathlib import Path

import pytest
from PIL import Image

from genctl.common.errors import BadContent, BrokenFiles, MissingInput
from genctl.common.reporting import SILENT
from genctl.data import folder_pixels
from genctl.data.folder import Folder
from genctl.data.pictures import open_picture
from tests.support.recorder import Recorder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("GENCTL_CACHE", str(cache))
    return cache


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


def broken(path: Path) -> None:
    picture(path)
    path.write_bytes(path.read_bytes()[:40])


def test_all_broken_pictures_are_listed_at_once(tmp_path: Path) -> None:
    picture(tmp_path / "good.png")
    for name in ("one.png", "two.png"):
        broken(tmp_path / name)
    with pytest.raises(BrokenFiles, match="2 of 3 pictures are broken") as raised:
        Folder(root=str(tmp_path), image_size=8, test_fraction=0).load("train")
    _, one, two = raised.value.lines()
    assert one.startswith("one.png: not a picture")
    assert two.startswith("two.png: not a picture")


def test_a_few_broken_pictures_are_left_out_with_a_warning(tmp_path: Path) -> None:
    for level in range(9):
        picture(tmp_path / f"{level}.png", level)
    broken(tmp_path / "5b.png")
    recorder = Recorder()
    root = str(tmp_path)
    train, test = Folder(root=root, image_size=8, max_broken=0.1).load_splits(recorder)
    found = [*train.pixels[:, 0, 0, 0].tolist(), *test.pixels[:, 0, 0, 0].tolist()]
    assert sorted(found) == list(range(9))
    (warning,) = recorder.warnings
    assert warning.startswith("left out 1 broken picture: 5b.png: not a picture")
    with pytest.raises(BrokenFiles):
        Folder(root=root, image_size=8, max_broken=0.09).load("train")


def test_pictures_of_deeper_folders_belong_to_the_first_one(tmp_path: Path) -> None:
    picture(tmp_path / "a" / "deep" / "deeper" / "1.png", 1)
    picture(tmp_path / "b" / "2.png", 2)
    picture(tmp_path / "loose.png", 3)
    picture(tmp_path / ".hidden" / "4.png", 4)
    (tmp_path / "b" / "notes.txt").write_text("hello")
    (tmp_path / "b" / "circle").symlink_to(tmp_path)
    recorder = Recorder()
    folder = Folder(root=str(tmp_path), image_size=8, test_fraction=0.01)
    images, _ = folder.load_splits(recorder)
    assert images.classes == ("a", "b")
    assert recorder.messages == [
        f"{tmp_path}: left out 1 file without a picture's ending (.txt), "
        "1 loose picture beside the class folders"
    ]
    without = Folder(root=str(tmp_path), image_size=8, test_fraction=0, labels="none")
    assert without.load("train").classes == ()
    assert sorted(levels(without)) == [1, 2, 3]


def test_there_is_a_test_picture_and_each_class_has_one_to_train_on(tmp_path: Path) -> None:
    for name in "abcdefghij":
        picture(tmp_path / name / "1.png")
    for fraction in (0.001, 0.999):
        folder = Folder(root=str(tmp_path), image_size=8, test_fraction=fraction)
        train, test = folder.load_splits(SILENT)
        assert len(train)
        assert len(test)
        assert len(train) + len(test) == 10


# -- transparency, sizes, mirrors -----------------------------------------------------------------


def sticker(path: Path, level: int) -> None:
    """A grey square on a transparent ground."""
    canvas = Image.new("LA", (8, 8), (0, 0))
    canvas.paste((level, 255), (2, 2, 6, 6))
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(path)


@pytest.mark.parametrize(("stickers", "ground"), [((200, 210, 20), 0), ((200, 10, 20), 255)])
def test_all_transparent_pictures_get_the_ground_that_suits_most(
    stickers: tuple[int, ...], ground: int, tmp_path: Path
) -> None:
    for number, level in enumerate(stickers):
        sticker(tmp_path / f"{number}.png", level)
    pixels = Folder(root=str(tmp_path), image_size=8, test_fraction=0).load("train").pixels
    assert pixels[:, 0, 0, 0].tolist() == [ground] * 3
    assert pixels[:, 0, 4, 4].tolist() == list(stickers)
    asked = Folder(root=str(tmp_path), image_size=8, test_fraction=0, ground="white", channels=3)
    assert asked.load("train").pixels[:, :, 0, 0].unique().tolist() == [255]


def test_a_picture_is_cropped_squeezed_or_padded(tmp_path: Path) -> None:
    wide = Image.new("L", (16, 8), 10)
    wide.paste(200, (4, 0, 12, 8))
    wide.save(tmp_path / "wide.png")

    def rows(resize: str) -> list[list[int]]:
        folder = Folder.model_validate(
            {"root": str(tmp_path), "image_size": 8, "test_fraction": 0, "resize": resize}
        )
        return folder.load("train").pixels[0, 0].tolist()  # type: ignore[no-any-return]

    assert rows("crop")[4] == [200] * 8
    squeezed = rows("fit")[4]
    assert (squeezed[0], squeezed[4]) == pytest.approx((10, 200), abs=5)  # ringing
    padded = rows("pad")
    assert padded[0] == [0] * 8  # the ground that the border is nearer to
    assert (padded[3][0], padded[3][4]) == pytest.approx((10, 200), abs=5)


def test_mirror_images_are_trained_on_and_not_tested_on(tmp_path: Path) -> None:
    for number in range(20):
        half = Image.new("L", (8, 8), 0)
        half.paste(number + 100, (0, 0, 4, 8))
        half.save(tmp_path / f"{number}.png")
    plain = Folder(root=str(tmp_path), image_size=8)
    mirrored = Folder(root=str(tmp_path), image_size=8, mirror=True)
    train, test = plain.load_splits(SILENT)
    both, same_test = mirrored.load_splits(SILENT)
    assert both.pixels[: len(train)].equal(train.pixels)
    assert both.pixels[len(train) :].equal(train.pixels.flip(-1))
    assert same_test.pixels.equal(test.pixels)


def test_even_classes_are_visited_equally_often_and_uneven_ones_warned_of(tmp_path: Path) -> None:
    for name, count in (("few", 2), ("many", 25)):
        for number in range(count):
            picture(tmp_path / name / f"{number}.png", number)
    recorder = Recorder()
    root = str(tmp_path)
    Folder(root=root, image_size=8, test_fraction=0.05).load_splits(recorder)
    (warning,) = recorder.warnings
    assert "many has 25 pictures, few 2;" in warning
    recorder = Recorder()
    even = Folder(root=root, image_size=8, test_fraction=0.05, even_classes=True)
    images, _ = even.load_splits(recorder)
    assert recorder.warnings == []
    assert images.epoch is not None
    few, many = images.labels[images.epoch].bincount().tolist()
    assert few == many
    assert set(images.epoch.tolist()) == set(range(len(images)))


# -- the cache ------------------------------------------------------------------------------------


def test_pictures_are_decoded_once_until_a_file_changes(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for level in range(5):
        picture(tmp_path / f"{level}.png", level)
    folder = Folder(root=str(tmp_path), image_size=8, test_fraction=0)
    first = levels(folder)
    decoded: list[Path] = []
    real = open_picture

    def counting(path: Path, least_side: int) -> Image.Image:
        decoded.append(path)
        return real(path, least_side)

    monkeypatch.setattr(folder_pixels, "open_picture", counting)
    assert levels(folder) == first
    assert decoded == []
    picture(tmp_path / "2.png", 77)
    assert levels(folder) == [0, 1, 77, 3, 4]
    assert len(decoded) == 5


def test_a_damaged_cache_is_replaced(tmp_path: Path, own_cache: Path) -> None:
    picture(tmp_path / "1.png", 5)
    folder = Folder(root=str(tmp_path), image_size=8, test_fraction=0.0)
    assert levels(folder) == [5]
    (cached,) = (own_cache / "pictures").glob("*.safetensors")
    content = cached.read_bytes()
    cached.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert levels(folder) == [5]
    assert cached.read_bytes() == content


def test_the_cache_deletes_what_was_used_least_recently(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genctl.data import folder_cache

    folders = []
    for name in ("old", "older", "new"):
        picture(tmp_path / name / "1.png")
        folders.append(Folder(root=str(tmp_path / name), image_size=64, test_fraction=0))
    levels(folders[1])
    levels(folders[0])
    one = folder_cache.cache_bytes() // 2
    (first, *_) = sorted((own_cache / "pictures").glob("*.safetensors"), key=os.path.getmtime)
    os.utime(first, (1, 1))
    monkeypatch.setattr(folder_cache, "MAX_BYTES", 2 * one + 10)
    levels(folders[2])
    assert not first.exists()
    assert folder_cache.cache_bytes() == 2 * one


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written_is_only_a_warning(tmp_path: Path, own_cache: Path) -> None:
    picture(tmp_path / "1.png", 5)
    own_cache.chmod(0o500)
    assert levels(Folder(root=str(tmp_path), image_size=8, test_fraction=0)) == [5]
    own_cache.chmod(0o700)


def test_an_empty_folder_and_a_missing_one_have_different_errors(tmp_path: Path) -> None:
    with pytest.raises(BadContent, match="it has no pictures"):
        Folder(root=str(tmp_path), image_size=8).load("train")
    picture(tmp_path / "only.png")
    with pytest.raises(BadContent, match="no test pictures; at least 2 are needed"):
        Folder(root=str(tmp_path), image_size=8).load("test")
    with pytest.raises(MissingInput, match="nowhere"):
        Folder(root=str(tmp_path / "nowhere"), image_size=8).load("train")
