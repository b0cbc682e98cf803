"""Codes in four formats, their labels, their map and their probe."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from genctl.common.errors import MissingInput, UsageError
from genctl.data.digits import Digits
from genctl.data.pictures import tensor_to_pil
from genctl.inference import code_map, encoding
from genctl.inference.encoding import EncodedImages
from genctl.runs import model_file
from genctl.runs.model_file import TrainedModel
from tests.support.models import save_model

TEST_IMAGES = Digits(image_size=16).load("test")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    return model_file.read(save_model(path), torch.device("cpu"))


def encode(trained: TrainedModel, *inputs: object) -> EncodedImages:
    return encoding.encode([str(one) for one in inputs], trained, print)


def read(path: Path) -> tuple[np.ndarray, list[str], list[int] | None]:
    """Codes, paths and labels as another program would read them."""
    match path.suffix:
        case ".npz":
            with np.load(path, allow_pickle=False) as file:
                assert file["codes"].dtype == np.float32
                labels = file["labels"].tolist() if "labels" in file else None
                return file["codes"], file["paths"].tolist(), labels
        case ".safetensors":
            with safe_open(path, "np") as file:
                names = file.keys()
                labels = file.get_tensor("labels").tolist() if "labels" in names else None
                return file.get_tensor("codes"), json.loads(file.metadata()["paths"]), labels
        case ".csv":
            rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode())))
            numbers = [name for name in rows[0] if name not in ("path", "label")]
            codes = np.array([[row[name] for name in numbers] for row in rows], dtype=np.float32)
        case ".jsonl":
            rows = [json.loads(line) for line in path.read_bytes().splitlines()]
            codes = np.array([row["code"] for row in rows], dtype=np.float32)
    labels = [int(row["label"]) for row in rows] if "label" in rows[0] else None
    return codes, [row["path"] for row in rows], labels


@pytest.mark.parametrize("suffix", encoding.WRITERS)
@pytest.mark.parametrize("labels", [[3, 1], None])
def test_every_format_reads_back_to_the_last_bit(
    suffix: str, labels: list[int] | None, tmp_path: Path
) -> None:
    codes = torch.randn(2, 5)
    paths = ['a, "b"\n.png', "ä/你.png"]
    path = tmp_path / "new" / f"codes{suffix}"
    encoding.write(EncodedImages(codes, paths, labels, torch.zeros(2, 1, 8, 8).byte()), path)
    found = read(path)
    assert np.array_equal(found[0], codes.numpy())
    assert found[1:] == (paths, labels)


def test_a_data_set_has_labels(trained: TrainedModel) -> None:
    encoded = encode(trained, "digits:test[0:5]")
    assert encoded.labels == TEST_IMAGES.labels[:5].tolist()
    assert encoded.paths == [f"digits:test[{i}]" for i in range(5)]
    expected = trained.model.encode(TEST_IMAGES.floats(slice(0, 5)))
    assert torch.allclose(encoded.codes, expected, atol=1e-5)
    assert torch.equal(encoded.pixels, TEST_IMAGES.pixels[:5])


def test_class_folders_give_labels(trained: TrainedModel, tmp_path: Path) -> None:
    for number in range(6):
        folder = tmp_path / str(int(TEST_IMAGES.labels[number]))
        folder.mkdir(exist_ok=True)
        tensor_to_pil(TEST_IMAGES.pixels[number]).save(folder / f"{number}.png")
    encoded = encode(trained, tmp_path)
    numbers = [int(Path(path).stem) for path in encoded.paths]
    assert sorted(numbers) == list(range(6))
    assert encoded.labels == TEST_IMAGES.labels[numbers].tolist()


def test_labels_are_left_out_if_one_image_has_none(trained: TrainedModel, tmp_path: Path) -> None:
    tensor_to_pil(TEST_IMAGES.pixels[0]).save(tmp_path / "a.png")
    encoded = encode(trained, "digits:test[0:2]", tmp_path / "a.png")
    assert encoded.labels is None
    assert torch.equal(encoded.codes[2], encoded.codes[0]), "the same image has the same code"


def test_a_code_does_not_depend_on_the_other_images(trained: TrainedModel) -> None:
    everything = encode(trained, "digits:test").codes
    assert torch.equal(encode(trained, "digits:test[123]").codes[0], everything[123])
    assert torch.equal(encode(trained, "digits:test[100:230]").codes, everything[100:230])


@pytest.mark.parametrize("kind", ["none", "label"])
def test_a_model_without_an_image_encoder_is_refused(kind: str, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model.safetensors", f"condition.kind={kind}")
    with pytest.raises(UsageError, match=r"no image encoder.*kind: image"):
        encode(model_file.read(path, torch.device("cpu")), "digits:test")


def test_an_empty_folder_is_missing_input(trained: TrainedModel, tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="cannot find a picture"):
        encode(trained, tmp_path)


def points(codes: torch.Tensor, labels: list[int] | None) -> EncodedImages:
    levels = torch.arange(len(codes)).byte() * 50 + 40
    pixels = levels[:, None, None, None].expand(-1, 1, 8, 8).clone()
    return EncodedImages(codes, ["a.png"] * len(codes), labels, pixels)


def test_the_map_shows_principal_components_and_frames_classes_in_colour() -> None:
    # A long triangle: its principal components are the first and the second number.
    codes = torch.tensor([[-9.0, 0.0, 0.0], [9.0, 0.0, 0.0], [0.0, 3.0, 0.0]])
    with Image.open(io.BytesIO(code_map.plot(points(codes, [0, 1, 1])))) as picture:
        sheet = np.asarray(picture).astype(int)
    middles = [np.argwhere((sheet == level).all(axis=2)).mean(axis=0) for level in (40, 90, 140)]
    side, edge = code_map.MAX_MARKER, code_map.MAP_SIDE
    columns = [round(middle[1]) for middle in middles]
    rows = [round(middle[0]) for middle in middles]
    # Principal components have no sign, so the map may be mirrored.
    assert sorted(columns[:2]) == pytest.approx([side / 2, edge - side / 2], abs=2)
    assert columns[2] == pytest.approx(edge / 2, abs=2)
    assert sorted({rows[0], rows[2]}) == pytest.approx([side / 2, edge - side / 2], abs=2)
    frames = [
        tuple(sheet[row - side // 2 + 1, column]) for row, column in zip(rows, columns, strict=True)
    ]
    assert frames[1] == frames[2] != frames[0]


@pytest.mark.parametrize("codes", [torch.zeros(5, 3), torch.randn(5, 1)])
def test_codes_of_rank_one_have_a_map_too(codes: torch.Tensor) -> None:
    assert code_map.plot(points(codes, None)).startswith(b"\x89PNG")


def test_a_map_of_two_images_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 3"):
        code_map.plot(points(torch.randn(2, 3), None))
