"""What is generated for a request, and the files that hold it."""

import io
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from torch import Tensor

from genctl.common.errors import BadContent, CannotCreate, OutOfMemory, UsageError
from genctl.data import pictures
from genctl.data.digits import Digits
from genctl.inference import layout, sampling, writers
from genctl.inference.provenance import is_identical, read_provenance, regenerate
from genctl.inference.samples import SampleRequest, SampleSet
from genctl.runs import model_file
from genctl.runs.model_file import TrainedModel
from tests.support.models import save_model

GAP, LEAD = 2, 4
CELL = 16 + GAP
TEST_IMAGES = Digits(image_size=16).load("test").pixels


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    return model_file.read(save_model(path), torch.device("cpu"))


def sample_set(
    trained: TrainedModel,
    *conditions: str,
    n: int = 6,
    seed: int = 0,
    truncation: float = 1.0,
    interpolate: bool = False,
) -> SampleSet:
    request = SampleRequest(conditions, n, seed, truncation, interpolate)
    return SampleSet.from_request(request, trained)


def cell(grid: Tensor, row: int, column: int, lead: int = 0) -> Tensor:
    top, left = GAP + row * CELL, GAP + column * CELL + lead
    return grid[:, top : top + 16, left : left + 16]


def test_a_grid_has_a_row_per_condition_with_its_picture_in_front(trained: TrainedModel) -> None:
    samples = sample_set(trained, "digits:test[4:6]", "label:1")
    pixels = samples.pixels(100)
    grid = layout.render_grid(samples, 100)
    assert grid.shape == (1, 3 * CELL + GAP, 7 * CELL + GAP + LEAD)
    assert torch.equal(cell(grid, 0, 0), TEST_IMAGES[4])
    assert torch.equal(cell(grid, 1, 0), TEST_IMAGES[5])
    assert cell(grid, 2, 0).unique().tolist() == [pictures.BACKGROUND], "a class has no picture"
    for row in range(3):
        for column in range(6):
            assert torch.equal(cell(grid, row, column + 1, LEAD), pixels[row * 6 + column])


def test_a_single_condition_has_a_square_beside_its_picture(trained: TrainedModel) -> None:
    samples = sample_set(trained, "digits:test[4]", n=9)
    grid = layout.render_grid(samples, 100)
    assert grid.shape == (1, 3 * CELL + GAP, 4 * CELL + GAP + LEAD)
    assert torch.equal(cell(grid, 2, 1, LEAD), samples.pixels(100)[6])


def test_without_conditions_each_row_shows_every_class_once(trained: TrainedModel) -> None:
    samples = sample_set(trained, n=23)
    pixels = samples.pixels(100)
    grid = layout.render_grid(samples, 100)
    assert grid.shape == (1, 3 * CELL + GAP, 10 * CELL + GAP)
    for label in range(10):
        first = sum(samples.counts[:label])
        assert torch.equal(cell(grid, 1, label), pixels[first + 1])
    assert cell(grid, 2, 3).unique().tolist() == [pictures.BACKGROUND]


def test_each_image_has_its_own_z_and_classes_share_theirs(
    trained: TrainedModel, tmp_path: Path
) -> None:
    def noises(*conditions: str) -> list[Tensor]:
        return [one.z(0, 0, 3) for one in sample_set(trained, *conditions).conditions]

    one, other = noises("digits:test[4:6]")
    assert not torch.equal(one, other)
    assert torch.equal(noises("digits:test[5]")[0], other), "whatever else is requested"
    picture = tmp_path / "same.png"
    picture.write_bytes(pictures.png(TEST_IMAGES[5]))
    assert torch.equal(noises(str(picture))[0], other), "whatever file it is read from"
    assert torch.equal(*noises("label:1", "label:2"))


def test_truncation_scales_z(trained: TrainedModel) -> None:
    z = sampling.sample_z(0, 0, 6, trained.model.z_dim)
    code = trained.class_codes[3:4].expand(6, -1)
    for psi in (0.0, 0.5, 1.0):
        expected = sampling.generate(trained.model, z * psi, code)
        assert torch.equal(sample_set(trained, "label:3", truncation=psi).pixels(100), expected)


def test_a_walk_through_z_is_a_quarter_of_a_circle(trained: TrainedModel) -> None:
    start, end = sampling.sample_z(0, 0, 2, trained.model.z_dim)
    code = trained.class_codes[3:4].expand(3, -1)
    z = torch.stack([start, (start + end) / math.sqrt(2), end])
    found = sample_set(trained, "label:3", n=3, interpolate=True).pixels(2).int()
    assert (found - sampling.generate(trained.model, z, code).int()).abs().max() <= 1


def test_a_walk_is_one_row(trained: TrainedModel) -> None:
    samples = sample_set(trained, "label:3", n=9, interpolate=True)
    assert layout.render_grid(samples, 100).shape == (1, CELL + GAP, 9 * CELL + GAP)


@pytest.mark.parametrize("interpolate", [False, True])
def test_a_mix_keeps_one_z_between_its_ends(interpolate: bool, trained: TrainedModel) -> None:
    samples = sample_set(trained, "mix:label:1,label:2", n=4, interpolate=interpolate)
    z = sampling.sample_z(0, 0, 1, trained.model.z_dim).expand(2, -1)
    ends = sampling.generate(trained.model, z, trained.class_codes[1:3])
    assert (samples.pixels(3)[[0, 3]].int() - ends.int()).abs().max() <= 1


def test_npz_is_condition_major_and_describes_each_image(
    trained: TrainedModel, tmp_path: Path
) -> None:
    samples = sample_set(trained, "label:3", "digits:test[0]", n=3, seed=5)
    pixels = samples.pixels(100)
    shares: list[float] = []
    writers.write(samples, tmp_path / "a.npz", "npz", 4, shares.append)
    assert shares == [4 / 6, 1.0]
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert file["images"].shape == (6, 16, 16, 1)
        assert np.array_equal(file["images"][..., 0], pixels[:, 0].numpy())
        assert file["seed"].tolist() == [5] * 6
        assert file["index"].tolist() == [0, 1, 2, 0, 1, 2]
        assert file["conditions"].tolist() == ["label:3"] * 3 + ["digits:test[0]"] * 3


@pytest.mark.parametrize("suffix", [".gif", ".apng"])
def test_an_animation_goes_there_and_back(
    suffix: str, trained: TrainedModel, tmp_path: Path
) -> None:
    samples = sample_set(trained, "digits:test[0]", "label:3", n=5, interpolate=True)
    pixels = samples.pixels(100)
    path = tmp_path / f"walk{suffix}"
    writers.write(samples, path, "animation", 100)
    with Image.open(io.BytesIO(path.read_bytes())) as animation:
        assert len(list(ImageSequence.Iterator(animation))) == 8  # 0 1 2 3 4 3 2 1
        assert animation.size == ((2 * CELL + GAP) * 8, (2 * CELL + GAP) * 8)
        for frame, step in ((0, 0), (4, 4), (6, 2)):
            animation.seek(frame)
            small = torch.from_numpy(np.array(animation.convert("L"))[::8, ::8])[None]
            assert torch.equal(cell(small, 0, 1), pixels[step])
            assert torch.equal(cell(small, 1, 1), pixels[5 + step])


@pytest.mark.parametrize("form", ["grid", "png"])
def test_a_picture_can_be_regenerated_from_its_provenance(
    form: writers.OutputFormat, trained: TrainedModel, tmp_path: Path
) -> None:
    samples = sample_set(trained, "label:3", "noise", n=2, seed=9, truncation=0.5)
    writers.write(samples, tmp_path / "out", form, 100)
    path = tmp_path / "out" if form == "grid" else tmp_path / "out" / "000003.png"
    provenance = read_provenance(path)
    assert provenance.request == samples.request
    assert provenance.model_sha256 == trained.digest
    assert provenance.command.endswith(
        "--n 2 --seed 9 --condition label:3 --condition noise --truncation 0.5"
    )
    assert is_identical(path, regenerate(samples, provenance, 100))
    other = sample_set(trained, "label:3", "noise", n=2, seed=8, truncation=0.5)
    assert not is_identical(path, regenerate(other, provenance, 100))


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "[]", "{}", '{"model": 3}',
     '{"command": "", "model": "m", "model_sha256": "", "request": {"n": 1000000000000}}',
     '{"command": "", "model": "m", "model_sha256": "", "request": {"n": -1}}'],
)  # fmt: skip
def test_a_picture_without_valid_provenance_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(pictures.png(torch.zeros(1, 8, 8).byte(), {"genctl": text} if text else {}))
    with pytest.raises(BadContent, match=r"a\.png"):
        read_provenance(path)


def test_a_folder_is_filled_batch_by_batch(trained: TrainedModel, tmp_path: Path) -> None:
    samples = sample_set(trained, "label:3", n=100)
    written = []

    def count(share: float) -> None:
        written.append((share, len(list((tmp_path / "out").iterdir()))))

    writers.write(samples, tmp_path / "out", "png", 40, count)
    assert written == [(0.4, 40), (0.8, 80), (1.0, 100)]
    with pytest.raises(CannotCreate, match="not empty"):
        writers.write(samples, tmp_path / "out", "png", 40)


def test_more_samples_than_fit_are_refused_before_any_is_generated(
    trained: TrainedModel, tmp_path: Path
) -> None:
    endless = sample_set(trained, "label:3", n=10**15)
    with pytest.raises(UsageError, match="too many for one picture"):
        writers.write(endless, tmp_path / "a.png", "grid", 100)
    with pytest.raises(OutOfMemory, match="--format png"):
        writers.write(endless, tmp_path / "a.npz", "npz", 100)
    assert list(tmp_path.iterdir()) == []
