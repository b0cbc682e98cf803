"""genctl encode, as a user types it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genctl.data.digits import Digits
from genctl.data.pictures import tensor_to_pil
from tests.conftest import RunGenctl
from tests.support.models import save_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model") / "model.safetensors")


@pytest.fixture(autouse=True)
def _pictures(tmp_path: Path) -> None:
    pixels = Digits(image_size=16).load("test").pixels
    for number in range(3):
        tensor_to_pil(pixels[number]).save(tmp_path / f"{number}.png")
    (tmp_path / "text.png").write_text("not a picture")


def test_codes_of_a_trained_model_predict_the_class(genctl: RunGenctl, tiny_run: Path) -> None:
    done = genctl("encode", "digits:test", "--run", tiny_run, "--plot", "map.png", "--json")
    assert done.code == 0
    assert done.json["images"] == 300
    assert done.json["code_dim"] == 16
    assert done.json["linear_probe_cv_accuracy"] > 0.6  # of ten classes, after seconds of training
    with np.load("codes.npz", allow_pickle=False) as file:
        assert file["codes"].shape == (300, 16)
        assert np.bincount(file["labels"]).tolist() == [30] * 10
    with Image.open("map.png") as picture:
        assert picture.size == (1200, 1200)


def test_messages_go_to_stderr(genctl: RunGenctl, model: Path) -> None:
    done = genctl("encode", "digits:test[0:100]", "--run", model, "--out", "c.csv")
    assert done.out == "c.csv\n"
    assert "100 codes of length 16" in done.err
    assert "(5-fold cross-validation)" in done.err
    assert genctl("encode", "0.png", "1.png", "--run", model, "--quiet").err == ""


def test_codes_are_conditions_for_sample(genctl: RunGenctl, model: Path) -> None:
    assert genctl("encode", "0.png", "1.png", "2.png", "--run", model, "--out", "c.npz").code == 0
    command = ("sample", "--run", model, "--n", 4)
    genctl(*command, "--condition", "c.npz[1]", "--out", "a.npz")
    genctl(*command, "--condition", "1.png", "--out", "b.npz")
    with np.load("a.npz") as a, np.load("b.npz") as b:
        assert np.array_equal(a["images"], b["images"])


CASES = {
    ("none.png",): 66,
    ("*.bmp",): 66,
    ("text.png",): 65,
    ("0.png", "text.png"): 65,
    ("digits:test[900]",): 2,
    ("0.png", "--out", "codes.txt"): 2,
    ("0.png", "--plot", "map.jpg"): 2,
    ("0.png", "--plot", "map.png"): 2,
    ("0.png", "--out", "text.png/codes.npz"): 73,
    (): 2,
}


@pytest.mark.parametrize("arguments", CASES)
def test_nothing_is_written_when_anything_fails(
    arguments: tuple[str, ...], genctl: RunGenctl, model: Path, tmp_path: Path
) -> None:
    before = set(tmp_path.iterdir())
    done = genctl("encode", *arguments, "--run", model)
    assert done.code == CASES[arguments]
    assert done.out == ""
    (line,) = done.err.splitlines()
    assert line.startswith("genctl: error: ")
    assert set(tmp_path.iterdir()) == before


def test_a_model_without_an_image_encoder_is_refused(genctl: RunGenctl, tmp_path: Path) -> None:
    path = save_model(tmp_path / "none.safetensors", "condition.kind=none")
    done = genctl("encode", "0.png", "--run", path)
    assert done.code == 2
    assert "condition: {kind: image}" in done.err
