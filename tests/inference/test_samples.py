"""What is drawn for an order, and what the files say of it."""

import io
import math
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from genctl.common import files
from genctl.common.errors import BadContent, CannotCreate, UsageError, WriteFailed
from genctl.data import pictures as images
from genctl.data.digits import Digits
from genctl.inference import arrays, sampling, sheet
from genctl.inference import samples as drawing
from genctl.inference.samples import Drawing, Order
from genctl.runs import model_file
from genctl.runs.model_file import TrainedModel
from tests.support.models import save_model

GAP, LEAD = 2, 4
CELL = 16 + GAP


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    return model_file.read(save_model(path), torch.device("cpu"))


def draw(trained: TrainedModel, *conditions: str, n: int = 6, **order: float) -> Drawing:
    return drawing.draw(Order(conditions, n, **order), trained, print, print)  # type: ignore[arg-type]


def cell(laid: Tensor, row: int, column: int, lead: int = 0) -> Tensor:
    top, left = GAP + row * CELL, GAP + column * CELL + lead
    return laid[:, top : top + 16, left : left + 16]


def test_a_row_begins_with_what_the_encoder_saw(trained: TrainedModel) -> None:
    drawn = draw(trained, "digits:test[4:6]", "label:1")
    pixels = drawn.pixels(100)
    laid = sheet.layout(drawn, pixels)
    held_out = Digits(image_size=16).load("test").pixels
    assert laid.shape == (1, 3 * CELL + GAP, 7 * CELL + GAP + LEAD)
    assert torch.equal(cell(laid, 0, 0), held_out[4])
    assert torch.equal(cell(laid, 1, 0), held_out[5])
    assert cell(laid, 2, 0).unique().tolist() == [images.BACKGROUND], "a class has no picture"
    for row in range(3):
        for column in range(6):
            assert torch.equal(cell(laid, row, column + 1, LEAD), pixels[row * 6 + column])


def test_one_condition_has_a_square_beside_it(trained: TrainedModel) -> None:
    drawn = draw(trained, "digits:test[4]", n=9)
    pixels = drawn.pixels(100)
    laid = sheet.layout(drawn, pixels)
    assert laid.shape == (1, 3 * CELL + GAP, 4 * CELL + GAP + LEAD)
    assert torch.equal(cell(laid, 2, 1, LEAD), pixels[6])


def test_without_conditions_every_class_stands_once_in_a_row(trained: TrainedModel) -> None:
    drawn = draw(trained, n=23)
    pixels = drawn.pixels(100)
    laid = sheet.layout(drawn, pixels)
    assert laid.shape == (1, 3 * CELL + GAP, 10 * CELL + GAP)
    firsts = [sum(drawn.counts[:label]) for label in range(10)]
    for label in range(10):
        assert torch.equal(cell(laid, 1, label), pixels[firsts[label] + 1])
    assert cell(laid, 2, 3).unique().tolist() == [images.BACKGROUND]


def test_pictures_have_z_of_their_own_and_classes_stand_in_columns_of_one(
    trained: TrainedModel, tmp_path: Path
) -> None:
    def noises(*conditions: str) -> list[Tensor]:
        drawn = draw(trained, *conditions)
        return [drawn._noise(number, 0, 3) for number in range(len(drawn.shown))]

    one, other = noises("digits:test[4:6]")
    assert not torch.equal(one, other)
    assert torch.equal(noises("digits:test[5]")[0], other), "whatever stands beside it"
    picture = tmp_path / "the same.png"
    files.atomic_write(picture, images.png(Digits(image_size=16).load("test").pixels[5]))
    assert torch.equal(noises(str(picture))[0], other), "wherever it comes from"
    assert torch.equal(*noises("label:1", "label:2"))


def test_truncation_scales_z(trained: TrainedModel) -> None:
    z = sampling.sample_z(0, 0, 6, trained.model.z_dim)
    code = trained.class_codes[3:4].expand(6, -1)
    for psi in (0.0, 0.5, 1.0):
        expected = sampling.generate(trained.model, z * psi, code)
        assert torch.equal(draw(trained, "label:3", truncation=psi).pixels(100), expected)


def test_a_walk_goes_from_one_z_to_another_on_a_quarter_of_a_circle(trained: TrainedModel) -> None:
    start, end = sampling.sample_z(0, 0, 2, trained.model.z_dim)
    code = trained.class_codes[3:4].expand(3, -1)
    z = torch.stack([start, (start + end) / math.sqrt(2), end])
    found = draw(trained, "label:3", n=3, interpolate=True).pixels(2).int()
    assert (found - sampling.generate(trained.model, z, code).int()).abs().max() <= 1


def test_a_walk_is_a_strip(trained: TrainedModel) -> None:
    drawn = draw(trained, "label:3", n=9, interpolate=True)
    assert sheet.layout(drawn, drawn.pixels(100)).shape == (1, CELL + GAP, 9 * CELL + GAP)


def test_a_mix_has_one_z_and_both_ends(trained: TrainedModel) -> None:
    drawn = draw(trained, "mix:label:1,label:2", n=4)
    z = sampling.sample_z(0, 0, 1, trained.model.z_dim).expand(2, -1)
    ends = sampling.generate(trained.model, z, trained.class_codes[1:3])
    assert (drawn.pixels(3)[[0, 3]].int() - ends.int()).abs().max() <= 1


def test_npz_is_condition_major_and_says_what_each_image_is(
    trained: TrainedModel, tmp_path: Path
) -> None:
    drawn = draw(trained, "label:3", "digits:test[0]", n=3, seed=5)
    pixels = drawn.pixels(100)
    sheet.write(drawn, tmp_path / "a.npz", "npz", batch_size=4)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert file["images"].shape == (6, 16, 16, 1)
        assert np.array_equal(file["images"][..., 0], pixels[:, 0].numpy())
        assert file["seed"].tolist() == [5] * 6
        assert file["index"].tolist() == [0, 1, 2, 0, 1, 2]
        assert file["conditions"].tolist() == ["label:3"] * 3 + ["digits:test[0]"] * 3


def test_the_npz_is_the_one_that_numpy_writes_of_the_whole(
    trained: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "CHUNK", 3)
    drawn = draw(trained, n=23, seed=5)
    sheet.write(drawn, tmp_path / "a.npz", "npz", batch_size=4)
    kinds = [f"label:{label}" for label in range(10)]
    np.savez(
        tmp_path / "b.npz",
        images=drawn.pixels(100).permute(0, 2, 3, 1).numpy(),
        seed=np.full(23, 5),
        index=np.concatenate([np.arange(count) for count in drawn.counts]),
        conditions=np.repeat(kinds, drawn.counts),
    )
    with ZipFile(tmp_path / "a.npz") as one, ZipFile(tmp_path / "b.npz") as other:
        assert one.namelist() == other.namelist()
        assert [one.read(name) == other.read(name) for name in other.namelist()] == [True] * 4


def test_an_npz_is_written_while_its_images_are_drawn(
    trained: TrainedModel, tmp_path: Path
) -> None:
    drawn, there, shares = draw(trained, "label:3", n=5000), [], []

    def told(share: float) -> None:
        (part,) = tmp_path.glob(f"{files.PREFIX}*")
        there.append(part.stat().st_size)
        shares.append(share)

    sheet.write(drawn, tmp_path / "a.npz", "npz", 1000, told)
    assert shares == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert all(size >= number * 256_000 - 100_000 for number, size in enumerate(there))
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("suffix", [".gif", ".apng"])
def test_a_walk_moves_there_and_back(suffix: str, trained: TrainedModel) -> None:
    drawn = draw(trained, "digits:test[0]", "label:3", n=5, interpolate=True)
    pixels = drawn.pixels(100)
    with Image.open(io.BytesIO(sheet.moving(drawn, pixels, suffix))) as moving:
        assert moving.n_frames == 8  # 0 1 2 3 4 3 2 1
        assert moving.size == ((2 * CELL + GAP) * 8, (2 * CELL + GAP) * 8)
        for frame, step in ((0, 0), (4, 4), (6, 2)):
            moving.seek(frame)
            small = torch.from_numpy(np.array(moving.convert("L"))[::8, ::8])[None]
            assert torch.equal(cell(small, 0, 1), pixels[step])
            assert torch.equal(cell(small, 1, 1), pixels[5 + step])


@pytest.mark.parametrize("form", ["grid", "png"])
def test_a_picture_says_how_to_draw_it_again(
    form: sheet.Format, trained: TrainedModel, tmp_path: Path
) -> None:
    drawn = draw(trained, "label:3", "noise", n=2, seed=9, truncation=0.5)
    sheet.write(drawn, tmp_path / "out", form, 100)
    path = tmp_path / "out" if form == "grid" else tmp_path / "out" / "000003.png"
    metadata = sheet.read_provenance(path)
    assert metadata.order == drawn.order
    assert metadata.model_sha256 == trained.digest
    assert metadata.command.endswith(
        "--n 2 --seed 9 --condition label:3 --condition noise --truncation 0.5"
    )
    assert sheet.is_same(path, sheet.redraw(drawn, metadata, 100))
    other = draw(trained, "label:3", "noise", n=2, seed=8, truncation=0.5)
    assert not sheet.is_same(path, sheet.redraw(other, metadata, 100))


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "[]", "{}", '{"model": 3}',
     '{"command": "", "model": "m", "model_sha256": "", "order": {"n": 1000000000000}}',
     '{"command": "", "model": "m", "model_sha256": "", "order": {"n": -1}}'],
)  # fmt: skip
def test_a_foreign_picture_says_nothing(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(images.png(torch.zeros(1, 8, 8).byte(), {"genctl": text} if text else {}))
    with pytest.raises(BadContent, match=r"a\.png"):
        sheet.read_provenance(path)


def test_pictures_are_written_while_others_are_drawn(
    trained: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = draw(trained, "label:3", n=100)
    there = []

    def watched(order: Order, *arguments: object) -> Tensor:
        there.append(len(list((tmp_path / "out").iterdir())))
        return original(order, *arguments)

    original = sampling.generate
    monkeypatch.setattr(sampling, "draw", watched)
    sheet.write(drawn, tmp_path / "out", "png", 40)
    assert there == [0, 40, 80]
    assert len(list((tmp_path / "out").iterdir())) == 100
    with pytest.raises(CannotCreate, match="not empty"):
        sheet.write(drawn, tmp_path / "out", "png", 40)


def test_what_no_file_can_hold_is_refused_at_once(trained: TrainedModel, tmp_path: Path) -> None:
    endless = draw(trained, "label:3", n=10**15)
    with pytest.raises(UsageError, match="too many for one picture"):
        sheet.write(endless, tmp_path / "a.png", "grid", 100)
    with pytest.raises(WriteFailed, match="the disk is full"):
        sheet.write(endless, tmp_path / "a.npz", "npz", 100)
    assert list(tmp_path.iterdir()) == []
