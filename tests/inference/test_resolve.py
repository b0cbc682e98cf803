"""What may follow --condition, and what is said of what may not."""

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from genctl.common.errors import BadContent, MissingInput, UsageError
from genctl.data.digits import Digits
from genctl.data.pictures import tensor_to_pil
from genctl.inference.inputs import positions
from genctl.inference.resolve import Shown, resolve
from genctl.runs import model_file
from genctl.runs.model_file import TrainedModel
from tests.support.models import save_model

HELD_OUT = Digits(image_size=16).load("test")


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
        tensor_to_pil(HELD_OUT.pixels[number]).save(f"some/{number}.png")
    return tmp_path


def named(trained: TrainedModel, *specs: str, steps: int = 1) -> list[Shown]:
    return resolve(specs, trained, print, steps)


def codes(shown: list[Shown]) -> torch.Tensor:
    return torch.cat([one.codes(0, 0, 1) for one in shown])


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
def test_pictures_are_shown_as_they_are(
    spec: str, expected: list[int], trained: TrainedModel
) -> None:
    shown = named(trained, spec)
    pictures = torch.stack([one.picture for one in shown if one.picture is not None])
    assert torch.equal(pictures, HELD_OUT.pixels[expected])
    assert torch.allclose(codes(shown), trained.model.encode(HELD_OUT.floats(expected)), atol=1e-5)


def test_a_whole_split_is_shown_by_its_name(trained: TrainedModel) -> None:
    shown = named(trained, "digits:test")
    assert [one.label for one in shown] == HELD_OUT.labels.tolist()
    assert shown[7].name == "digits:test[7]"


@pytest.mark.mnist
def test_a_model_is_shown_another_data_set_in_its_own_form(
    trained: TrainedModel, mnist_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENCTL_DATA", str(mnist_root))
    shown = named(trained, "mnist:test[0:3]")
    assert [one.picture.shape for one in shown if one.picture is not None] == [(1, 16, 16)] * 3


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


def test_many_inverted_pictures_are_told_in_one_line(trained: TrainedModel) -> None:
    for number in range(3):
        tensor_to_pil(255 - HELD_OUT.pixels[number]).save(f"some/{number}.png")
    told: list[str] = []
    resolve(["some"], trained, told.append)
    assert told == [
        "some/0.png and 2 more: light background, but the model was trained on a dark one: inverted"
    ]


USAGE = {
    "label:eleven": "its classes are 0, 1, 2",
    "label:10": "no such class",
    "label:-1": "no such class",
    "label:" + "9" * 5000: "no such class",
    "digits:test[300]": "names nothing among 300",
    "digits:test[5:5]": "names nothing",
    "digits:test[a]": "names nothing",
    "digits:test[]": "names nothing",
    "digits:test[::0]": "names nothing",
    "nonsense:test": "not one of",
    "folder:test": "not trained on folder",
    "mix:label:1": "two conditions",
    "mix:label:1,label:2,label:3": "two conditions",
    "mix:some,label:1": "some names 3 conditions",
    "": "is empty",
    "~no-such-user/a.png": "home directory",
}


@pytest.mark.parametrize("spec", USAGE)
def test_what_cannot_be_shown_is_a_usage_error(spec: str, trained: TrainedModel) -> None:
    with pytest.raises(UsageError, match=USAGE[spec]):
        named(trained, spec)


@pytest.mark.parametrize(
    "spec",
    ["none.png", "none.npz", "none.npz[3]", "*.bmp", "empty", "x" * 300, "pipe.npz", "pipe.png"],
)
def test_what_is_not_there_or_no_file_is_missing(spec: str, trained: TrainedModel) -> None:
    Path("empty").mkdir()
    os.mkfifo("pipe.npz")
    os.mkfifo("pipe.png")
    with pytest.raises(MissingInput):
        named(trained, spec)


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("canary"),))


def bad_files() -> dict[str, bytes]:
    def packed(**arrays: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        return buffer.getvalue()

    good = packed(codes=np.ones((3, 16), np.float32))
    return {
        "wrong width": packed(codes=np.ones((3, 8), np.float32)),
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
def test_a_bad_file_of_codes_is_refused_and_never_obeyed(what: str, trained: TrainedModel) -> None:
    Path("bad.npz").write_bytes(bad_files()[what])
    with pytest.raises(BadContent, match=r"bad\.npz"):
        named(trained, "bad.npz")
    assert not Path("canary").exists()


def test_a_file_of_codes_that_unpacks_to_gigabytes_is_refused(trained: TrainedModel) -> None:
    with zipfile.ZipFile("bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("codes.npy", bytes(50_000_000))
    with pytest.raises(BadContent, match="unpacks to 50,000,000"):
        named(trained, "bomb.npz")


def test_an_empty_file_of_codes_shows_nothing(trained: TrainedModel) -> None:
    write_codes("none.npz", np.ones((0, 16), np.float32))
    with pytest.raises(UsageError, match="nothing in it"):
        named(trained, "none.npz")


@pytest.mark.parametrize("spec", ["some/1.png", "some", "digits:test[0]"])
def test_a_model_of_labels_cannot_be_shown_pictures(spec: str, labelled: TrainedModel) -> None:
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
        assert positions(words, count, "x") == expected
    else:
        with pytest.raises(UsageError, match="names nothing"):
            positions(words, count, "x")
