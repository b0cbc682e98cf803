"""What may follow --condition, and the errors for everything else."""

import io
import os
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from genctl.common.errors import BadContent, MissingInput, UsageError
from genctl.data.digits import Digits
from genctl.data.pictures import tensor_to_pil
from genctl.inference.inputs import select_indices
from genctl.inference.picture_codes import encode_pictures
from genctl.inference.resolve import resolve
from genctl.inference.resolved import ResolvedCondition
from genctl.runs import model_file
from genctl.runs.model_file import TrainedModel
from tests.support.models import save_model

TEST_IMAGES = Digits(image_size=16).load("test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def trained(folder: Path) -> TrainedModel:
    return model_file.read(save_model(folder / "image.safetensors"), torch.device("cpu"))


@pytest.fixture(scope="module")
def labelled(folder: Path) -> TrainedModel:
    path = save_model(folder / "label.safetensors", "condition.kind=label")
    return model_file.read(path, torch.device("cpu"))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three digits, one by one and in a folder, and a file of their codes."""
    monkeypatch.chdir(tmp_path)
    Path("some").mkdir()
    for number in range(3):
        tensor_to_pil(TEST_IMAGES.pixels[number]).save(f"some/{number}.png")
    return tmp_path


def named(trained: TrainedModel, *specs: str, steps: int = 1) -> list[ResolvedCondition]:
    return resolve(specs, trained, print, steps)


def codes(conditions: list[ResolvedCondition]) -> torch.Tensor:
    return torch.cat([one.codes(0, 0, 1) for one in conditions])


def write_codes(path: str, array: np.ndarray) -> None:
    np.savez(path, codes=array)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("some/1.png", [1]),
        ("some", [0, 1, 2]),
        ("some/*.png", [0, 1, 2]),
        ("some/[12].png", [1, 2]),
        ("digits:test[3]", [3]),
        ("digits:test[-1]", [299]),
        ("digits:test[2:5]", [2, 3, 4]),
        ("digits:test[:2]", [0, 1]),
        ("digits:test[::100]", [0, 100, 200]),
        ("digits:test[-2:]", [298, 299]),
    ],
)
def test_pictures_are_encoded_unchanged(
    spec: str, expected: list[int], trained: TrainedModel
) -> None:
    found = named(trained, spec)
    pictures = torch.stack([one.picture for one in found if one.picture is not None])
    assert torch.equal(pictures, TEST_IMAGES.pixels[expected])
    assert torch.allclose(
        codes(found), trained.model.encode(TEST_IMAGES.floats(expected)), atol=1e-5
    )


def test_a_split_without_indices_names_all_its_images(trained: TrainedModel) -> None:
    found = named(trained, "digits:test")
    assert [one.label for one in found] == TEST_IMAGES.labels.tolist()
    assert found[7].name == "digits:test[7]"


@pytest.mark.mnist
def test_another_data_set_is_loaded_at_the_image_size_of_the_model(
    trained: TrainedModel, mnist_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENCTL_DATA", str(mnist_root))
    found = named(trained, "mnist:test[0:3]")
    assert [one.picture.shape for one in found if one.picture is not None] == [(1, 16, 16)] * 3


def test_a_class_is_named_by_word_or_number(trained: TrainedModel) -> None:
    assert torch.equal(codes(named(trained, "label:7")), trained.class_codes[7:8])
    words = model_file.ModelMetadata(
        trained.metadata.config, tuple("abcdefghi1"), trained.metadata.preprocessing, 0
    )
    other = TrainedModel(
        trained.path, "", words, trained.model, trained.class_codes, trained.training_codes
    )
    assert torch.equal(codes(named(other, "label:c")), trained.class_codes[2:3])
    assert torch.equal(codes(named(other, "label:2")), trained.class_codes[2:3])
    assert torch.equal(codes(named(other, "label:1")), trained.class_codes[9:]), "words go first"


def test_codes_come_back_from_a_file(trained: TrainedModel) -> None:
    array = np.random.default_rng(0).normal(size=(5, 16)).astype(np.float32)
    write_codes("c.npz", array)
    for spec, expected in (("c.npz", array), ("c.npz[3]", array[3:4]), ("c.npz[1:3]", array[1:3])):
        assert np.array_equal(codes(named(trained, spec)).numpy(), expected)


def test_a_mix_goes_from_one_code_to_the_other_on_the_sphere(trained: TrainedModel) -> None:
    (mix,) = named(trained, "mix:label:1,digits:test[5]", steps=5)
    found = mix.codes(0, 0, 5)
    first, last = codes(named(trained, "label:1", "digits:test[5]"))
    assert torch.allclose(found[0], first, atol=1e-5)
    assert torch.allclose(found[4], last, atol=1e-5)
    assert torch.allclose(found.square().mean(dim=1), torch.ones(5), atol=1e-4)
    middle = (first + last) / (first + last).square().mean().sqrt()
    assert torch.allclose(found[2], middle, atol=1e-4)
    assert torch.equal(mix.codes(0, 3, 2), found[3:]), "batches change nothing"


def test_noise_has_another_code_for_every_sample(trained: TrainedModel) -> None:
    (noise,) = named(trained, "noise")
    found = noise.codes(0, 0, 300)
    assert len(found.unique(dim=0)) == 300
    assert torch.equal(noise.codes(0, 250, 50), found[250:])
    assert not torch.equal(noise.codes(1, 0, 300), found)


def test_one_warning_covers_many_inverted_pictures(trained: TrainedModel) -> None:
    for number in range(3):
        tensor_to_pil(255 - TEST_IMAGES.pixels[number]).save(f"some/{number}.png")
    warnings: list[str] = []
    resolve(["some"], trained, warnings.append)
    assert warnings == [
        "some/0.png and 2 more: light background, but the model was trained on a dark one: inverted"
    ]


USAGE = {
    "label:eleven": "its classes are 0, 1, 2",
    "label:10": "no such class",
    "label:-1": "no such class",
    "label:" + "9" * 5000: "no such class",
    "digits:test[300]": "selects none of 300",
    "digits:test[5:5]": "selects none",
    "digits:test[a]": "selects none",
    "digits:test[]": "selects none",
    "digits:test[::0]": "selects none",
    "nonsense:test": "not one of",
    "digist:test[0]": "did you mean 'digits'",
    "folder:test": "not trained on folder",
    "mix:label:1": "two conditions",
    "mix:label:1,label:2,label:3": "two conditions",
    "mix:some,label:1": "some names 3 conditions",
    "": "is empty",
    "~no-such-user/a.png": "home directory",
}


@pytest.mark.parametrize("spec", USAGE)
def test_an_impossible_condition_is_a_usage_error(spec: str, trained: TrainedModel) -> None:
    with pytest.raises(UsageError, match=USAGE[spec]):
        named(trained, spec)


@pytest.mark.parametrize(
    "spec",
    ["none.png", "none.npz", "none.npz[3]", "*.bmp", "empty", "x" * 300, "pipe.npz", "pipe.png"],
)
def test_a_missing_or_irregular_file_is_missing_input(spec: str, trained: TrainedModel) -> None:
    Path("empty").mkdir()
    os.mkfifo("pipe.npz")
    os.mkfifo("pipe.png")
    with pytest.raises(MissingInput):
        named(trained, spec)


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("canary"),))


def bad_files() -> dict[str, bytes]:
    def packed(**arrays: Any) -> bytes:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        return buffer.getvalue()

    good = packed(codes=np.ones((3, 16), np.float32))
    return {
        "wrong length": packed(codes=np.ones((3, 8), np.float32)),
        "not finite": packed(codes=np.full((3, 16), np.nan, np.float32)),
        "float64": packed(codes=np.ones((3, 16))),
        "other names": packed(other=np.ones(3)),
        "one dimension": packed(codes=np.ones(16, np.float32)),
        "pickled": packed(codes=np.array([Bomb()], dtype=object)),
        "a pickle": pickle.dumps(Bomb()),
        "cut": good[:-20],
        "cut early": good[:60],
        "nothing": b"",
        "text": b"hello",
    }


@pytest.mark.parametrize("what", bad_files())
def test_a_bad_codes_file_is_refused_and_never_unpickled(what: str, trained: TrainedModel) -> None:
    Path("bad.npz").write_bytes(bad_files()[what])
    with pytest.raises(BadContent, match=r"bad\.npz"):
        named(trained, "bad.npz")
    assert not Path("canary").exists()


def test_a_zip_bomb_is_refused_before_it_is_unpacked(trained: TrainedModel) -> None:
    with zipfile.ZipFile("bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("codes.npy", bytes(50_000_000))
    with pytest.raises(BadContent, match="unpacks to 50,000,000"):
        named(trained, "bomb.npz")


def test_an_empty_codes_file_is_a_usage_error(trained: TrainedModel) -> None:
    write_codes("none.npz", np.ones((0, 16), np.float32))
    with pytest.raises(UsageError, match="it is empty"):
        named(trained, "none.npz")


@pytest.mark.parametrize("spec", ["some/1.png", "some", "digits:test[0]"])
def test_a_label_conditional_model_takes_no_pictures(spec: str, labelled: TrainedModel) -> None:
    with pytest.raises(UsageError, match="conditioned on labels"):
        named(labelled, spec)
    assert len(named(labelled, "label:3", "noise", "mix:label:1,label:2")) == 3


def test_an_unconditional_model_says_what_trains_a_conditional_one(folder: Path) -> None:
    path = save_model(folder / "none.safetensors", "condition.kind=none")
    with pytest.raises(UsageError, match=r"unconditional.*kind: image.*mnist_cgan"):
        named(model_file.read(path, torch.device("cpu")), "label:3")


def test_a_model_without_classes_has_no_labels(here: Path) -> None:
    for number in range(40):
        Image.new("L", (16, 16), number).save(f"some/{number}.png")
    path = save_model(
        here / "m.safetensors", "data.kind=folder", "data.root=some", "data.image_size=16",
        "condition.pairing=instance",
    )  # fmt: skip
    with pytest.raises(UsageError, match="trained without labels"):
        named(model_file.read(path, torch.device("cpu")), "label:0")


EDGE = st.none() | st.integers(-60, 60)


@given(st.integers(0, 50), EDGE, EDGE, EDGE.filter(lambda step: step != 0))
def test_slices_are_those_of_python(
    count: int, start: int | None, stop: int | None, step: int | None
) -> None:
    words = ":".join("" if edge is None else str(edge) for edge in (start, stop, step))
    expected = list(range(count))[start:stop:step]
    if expected:
        assert select_indices(words, count, "x") == expected
    else:
        with pytest.raises(UsageError, match="selects none"):
            select_indices(words, count, "x")


@pytest.mark.parametrize(
    ("spec", "meant"),
    [("nois", "noise"), ("labl:7", "label:7"), ("mx:label:1,label:2", "mix:label:1,label:2")],
)  # fmt: skip
def test_a_mistyped_condition_comes_with_the_one_that_was_meant(
    spec: str, meant: str, trained: TrainedModel
) -> None:
    with pytest.raises(MissingInput, match=f"no such file; did you mean '{re.escape(meant)}'"):
        named(trained, spec)


@pytest.mark.parametrize("spec", ["noise.png", "img.png", "a:b"])
def test_a_missing_file_is_no_mistyped_condition(spec: str, trained: TrainedModel) -> None:
    with pytest.raises(MissingInput, match="No such file or directory"):
        named(trained, spec)


@pytest.mark.parametrize(("ground", "level"), [("white", 255), ("black", 0)])
def test_a_transparent_picture_is_shown_on_the_ground_of_the_data(
    ground: str, level: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENCTL_CACHE", str(tmp_path / "cache"))
    stickers = tmp_path / "stickers"
    stickers.mkdir()
    for side in range(2, 6):
        sticker = Image.new("LA", (16, 16), (0, 0))
        sticker.paste((128, 255), (6, 6, 6 + side, 10))
        sticker.save(stickers / f"{side}.png")
    data = ("data.kind=folder", f"data.root={stickers}", f"data.ground={ground}",
            "data.labels=none", "condition.pairing=instance")  # fmt: skip
    model = model_file.read(save_model(tmp_path / "model.safetensors", *data), torch.device("cpu"))
    (found,) = encode_pictures([stickers / "4.png"], model, pytest.fail)
    assert found.picture is not None
    assert found.picture[0, 0, 0] == level
