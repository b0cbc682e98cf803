"""Labels and captions from metadata.jsonl and CSV files."""

import json
from pathlib import Path

import pytest
from PIL import Image

from genctl.common.errors import BadContent, MissingInput
from genctl.common.reporting import SILENT
from genctl.data.folder import Folder
from tests.support.recorder import Recorder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENCTL_CACHE", str(tmp_path_factory.mktemp("cache")))


def picture(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8), level).save(path)


def write_lines(path: Path, *rows: object) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def folder(root: Path, **settings: object) -> Folder:
    values = {"root": str(root), "image_size": 8, "test_fraction": 0.0} | settings
    return Folder.model_validate(values)


def test_captions_are_aligned_with_the_pictures(tmp_path: Path) -> None:
    for level in range(30):
        picture(tmp_path / f"{level}.png", level)
    rows = [{"file_name": f"{n}.png", "text": f"grey of {n}"} for n in reversed(range(30))]
    write_lines(tmp_path / "metadata.jsonl", *rows)
    for images in folder(tmp_path, test_fraction=0.2, mirror=True).load_splits(SILENT):
        levels = images.pixels[:, 0, 0, 0].tolist()
        assert list(images.captions) == [f"grey of {level}" for level in levels]
        assert images.classes == ()


def test_captions_change_the_digest(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 1)
    plain = folder(tmp_path).load("train").digest()
    digests = {plain}
    for text in ("one", "two"):
        write_lines(tmp_path / "metadata.jsonl", {"file_name": "a.png", "text": text})
        digests.add(folder(tmp_path).load("train").digest())
    assert len(digests) == 3


def test_what_a_table_and_a_folder_do_not_share_is_left_out_and_told(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/2.png", "b/3.png", "b/4.png"):
        picture(tmp_path / name, int(name[2]))
    write_lines(
        tmp_path / "metadata.jsonl",
        {"file_name": "a/1.png", "text": "one"},
        {"file_name": "b/2.png", "text": "two"},
        {"file_name": "b/2.png", "text": "two again"},
        {"file_name": "b/3.png", "text": ""},
        {"file_name": "gone.png", "text": "nothing"},
    )
    recorder = Recorder()
    images, _ = folder(tmp_path, test_fraction=0.01).load_splits(recorder)
    (message,) = recorder.messages
    assert message.removeprefix(f"{tmp_path}: left out ").split(", ") == [
        "1 picture that metadata.jsonl does not name",
        "1 row of metadata.jsonl without a picture",
        "1 further row of metadata.jsonl about the same picture",
        "1 picture without a caption in metadata.jsonl",
    ]
    assert images.classes == ("a", "b")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_file_of_labels_replaces_the_folders(delimiter: str, tmp_path: Path) -> None:
    for name in ("x/1.png", "x/2.png", "y/3.png"):
        picture(tmp_path / name, int(name[2]))
    lines = [("file_name", "label"), ("x/1.png", "10"), ("x/2.png", "9"), ("y/3.png", "10")]
    text = "\ufeff" + "\r\n".join(delimiter.join(line) for line in lines)
    (tmp_path / "mine.csv").write_text(text, encoding="utf-8")
    images = folder(tmp_path, labels="mine.csv").load("train")
    assert images.classes == ("9", "10")
    assert images.labels.tolist() == [1, 0, 1]
    assert folder(tmp_path).load("train").classes == ("x", "y")
    (tmp_path / "mine.csv").rename(tmp_path / "labels.csv")
    assert folder(tmp_path).load("train").classes == ("9", "10")
    assert folder(tmp_path, labels="folders").load("train").classes == ("x", "y")


@pytest.mark.parametrize("in_splits", [True, False])
def test_a_table_describes_both_splits(in_splits: bool, tmp_path: Path) -> None:
    for split, level in (("train", 1), ("test", 2)):
        picture(tmp_path / split / "a.png", level)
        row = {"file_name": "a.png", "text": split}
        if in_splits:
            write_lines(tmp_path / split / "metadata.jsonl", row)
    if not in_splits:
        rows = [{"file_name": f"{split}/a.png", "text": split} for split in ("train", "test")]
        write_lines(tmp_path / "metadata.jsonl", *rows)
    train, test = folder(tmp_path).load_splits(SILENT)
    assert (train.captions, test.captions) == (("train",), ("test",))


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("metadata.jsonl", '{"file_name": "a.png"\n', r"metadata\.jsonl:1: not JSON"),
        ("metadata.jsonl", '\n["a.png"]\n', r"metadata\.jsonl:2: not a JSON object"),
        ("metadata.jsonl", '{"text": "x"}\n', r"metadata\.jsonl:1: it has no file_name"),
        ("metadata.jsonl", "", "it has no rows"),
        ("metadata.jsonl", '{"file_name": "b.png"}\n', "about none of the 1 pictures"),
        ("labels.csv", "picture,label\na.png,1\n", r"labels\.csv:1: it has no column file_name"),
        ("metadata.jsonl", "\xff", "not UTF-8"),
    ],
)
def test_a_bad_table_is_named_with_its_line(name: str, text: str, why: str, tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 1)
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(BadContent, match=why):
        folder(tmp_path).load("train")


def test_a_table_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 1)
    with pytest.raises(MissingInput, match=r"nowhere\.csv: no such file"):
        folder(tmp_path, labels="nowhere.csv").load("train")
    with pytest.raises(ValueError, match=r"below data\.root"):
        folder(tmp_path, labels="../secrets.csv")


def test_a_long_caption_is_kept_whole(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 1)
    text = " ".join(["word"] * 10_000)
    write_lines(tmp_path / "metadata.jsonl", {"file_name": "a.png", "text": text})
    assert folder(tmp_path).load("train").captions == (text,)
