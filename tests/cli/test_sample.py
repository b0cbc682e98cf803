"""genctl sample and genctl reproduce, as a user types them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from genctl.data.digits import Digits
from genctl.data.pictures import tensor_to_pil
from tests.conftest import RunGenctl
from tests.support.models import RESNET, save_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model") / "model.safetensors")


@pytest.fixture(scope="module")
def unconditional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    return save_model(path, *RESNET, "condition.kind=none")


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A dark digit on white paper."""
    digit = 255 - Digits(image_size=16).load("test").pixels[7]
    page = Image.new("L", (300, 200), 255)
    page.paste(tensor_to_pil(digit).resize((120, 120)), (130, 40))
    page.save(tmp_path / "scan.png")
    return tmp_path / "scan.png"


def pixels(path: Path | str) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_stdout_is_the_path_of_the_picture(genctl: RunGenctl, model: Path) -> None:
    done = genctl("sample", "--run", model, "--n", 4, "--condition", "label:1")
    assert done.code == 0
    path = Path(done.out.rstrip("\n"))
    assert pixels(path).shape == (38, 38)
    assert genctl("sample", "--run", model, "--n", 4, "--condition", "label:2").out != done.out


def test_an_inverted_scan_is_accepted_with_a_warning(
    genctl: RunGenctl, model: Path, scan: Path
) -> None:
    done = genctl("sample", "--run", model, "--n", 4, "--condition", scan, "--out", "a.png")
    assert done.code == 0
    assert done.err.splitlines() == [
        f"genctl: warning: {scan}: light background, but the model was trained on a dark one: "
        "inverted"
    ]


def test_json_is_one_object_with_the_request(genctl: RunGenctl, model: Path) -> None:
    done = genctl("sample", "--run", model, "--n", 3, "--condition", "noise", "--seed", 5, "--json")
    assert done.code == 0
    assert done.json["images"] == 3
    assert done.json["request"]["seed"] == 5
    assert done.json["request"]["conditions"] == ["noise"]
    assert done.json["model"] == str(model.resolve())
    assert Path(done.json["out"]).exists()


def test_the_command_in_a_picture_generates_it_again(genctl: RunGenctl, model: Path) -> None:
    genctl("sample", "--run", model, "--n", 3, "--condition", "label:1", "--condition", "noise",
           "--seed", 7, "--truncation", 0.8, "--out", "a.png")  # fmt: skip
    with Image.open("a.png") as picture:
        command = json.loads(picture.info["genctl"])["command"]
    words = command.split()
    assert words[0] == "genctl"
    assert genctl(*words[1:], "--out", "b.png").code == 0
    assert np.array_equal(pixels("a.png"), pixels("b.png"))


def test_all_formats_hold_the_same_images(genctl: RunGenctl, model: Path) -> None:
    command = ("sample", "--run", model, "--n", 3, "--condition", "label:1", "--condition", "noise")
    assert genctl(*command, "--out", "a.npz", "--batch-size", 2).code == 0
    assert genctl(*command, "--format", "png", "--out", "folder").code == 0
    assert genctl(*command, "--out", "a.png").code == 0
    with np.load("a.npz", allow_pickle=False) as file:
        arrays = file["images"][..., 0]
        assert file["conditions"].tolist() == ["label:1"] * 3 + ["noise"] * 3
    names = sorted(Path("folder").iterdir())
    assert [path.name for path in names] == [f"{number:06d}.png" for number in range(6)]
    assert np.array_equal(np.stack([pixels(path) for path in names]), arrays)
    assert np.array_equal(pixels("a.png")[20:36, 38:54], arrays[5])


@pytest.mark.parametrize("suffix", ["gif", "apng"])
def test_a_walk_can_be_an_animation(suffix: str, genctl: RunGenctl, model: Path) -> None:
    out = f"walk.{suffix}"
    walk = ("sample", "--run", model, "--n", 6, "--condition", "label:1", "--out", out)
    assert genctl(*walk, "--interpolate").code == 0
    with Image.open(out) as animation:
        assert len(list(ImageSequence.Iterator(animation))) == 10
    refused = genctl(*walk)
    assert refused.code == 2
    assert "--interpolate" in refused.err


def test_without_conditions_every_class_is_generated_with_a_message(
    genctl: RunGenctl, model: Path
) -> None:
    done = genctl("sample", "--run", model, "--n", 20, "--out", "a.png")
    assert done.err == "no --condition given: generating every class once per row\n"
    assert pixels("a.png").shape == (38, 182)


def test_an_unconditional_model_generates_n_images_and_takes_no_condition(
    genctl: RunGenctl, unconditional: Path
) -> None:
    done = genctl("sample", "--run", unconditional, "--n", 9, "--out", "a.npz")
    assert (done.code, done.err) == (0, "")
    with np.load("a.npz", allow_pickle=False) as file:
        assert len(np.unique(file["images"], axis=0)) == 9
    refused = genctl("sample", "--run", unconditional, "--condition", "label:1")
    assert refused.code == 2
    assert "condition: {kind: image}" in refused.err


@pytest.mark.parametrize("form", ["grid", "png"])
def test_reproduce_gives_identical_pixels(
    form: str, genctl: RunGenctl, model: Path, scan: Path
) -> None:
    genctl("sample", "--run", model, "--n", 3, "--condition", scan, "--condition", "noise",
           "--format", form, "--out", "out")  # fmt: skip
    path = Path("out") if form == "grid" else Path("out/000004.png")
    done = genctl("reproduce", path, "--out", "again.png", "--json")
    assert done.json == {"out": "again.png", "identical": True}
    assert np.array_equal(pixels("again.png"), pixels(path))
    tensor_to_pil(Digits(image_size=16).load("test").pixels[0]).save(scan)
    changed = genctl("reproduce", path, "--out", "again.png", "--json")
    assert changed.json["identical"] is (form == "png"), "noise does not depend on the scan"


def test_reproduce_refuses_another_model_and_foreign_pictures(
    genctl: RunGenctl, model: Path, unconditional: Path, scan: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved.safetensors"
    shutil.copy(model, moved)
    genctl("sample", "--run", moved, "--n", 2, "--condition", "noise", "--out", "a.png")
    other = genctl("reproduce", "a.png", "--run", unconditional)
    assert other.code == 65
    assert "not the model that generated it" in other.err
    assert genctl("reproduce", scan).code == 65
    moved.unlink()
    gone = genctl("reproduce", "a.png")
    assert gone.code == 66
    assert "--run" in gone.err
    assert genctl("reproduce", "a.png", "--run", model).code == 0
    assert genctl("reproduce", "none.png").code == 66


CASES = {
    ("--condition", "none.png"): 66,
    ("--condition", "text.png"): 65,
    ("--condition", "a\nb.png"): 65,
    ("--condition", "label:eleven"): 2,
    ("--condition", "nonsense:test"): 2,
    ("--n", "0"): 2,
    ("--n", "100000000000"): 2,
    ("--n", "100000000000000000000"): 2,
    ("--n", "1000000000000", "--format", "npz", "--out", "a.npz"): 71,
    ("--seed", "-1"): 2,
    ("--seed", "9223372036854775808"): 2,
    ("--truncation", "nan"): 2,
    ("--truncation", "inf"): 2,
    ("--truncation", "-1"): 2,
    ("--out", "a.jpg"): 2,
    ("--out", "a.png", "--format", "npz"): 2,
    ("--out", "text.png/a.png"): 73,
    ("--out", "."): 73,
    ("--format", "png", "--out", "."): 73,
    ("--device", "cuda:99"): 69,
    ("--device", "toaster"): 2,
}


@pytest.mark.parametrize("arguments", CASES)
def test_an_impossible_request_is_one_line_and_an_exit_code(
    arguments: tuple[str, ...], genctl: RunGenctl, model: Path, tmp_path: Path
) -> None:
    for name in ("text.png", "a\nb.png"):
        (tmp_path / name).write_text("not a picture")
    before = set(tmp_path.iterdir())
    done = genctl("sample", "--run", model, *arguments, "--quiet")
    assert done.code == CASES[arguments]
    assert done.out == ""
    (line,) = done.err.splitlines()
    assert line.startswith("genctl: error: ")
    assert set(tmp_path.iterdir()) == before
