"""Words after --prompt, and files of captions."""

from pathlib import Path

import pytest
import torch

from genctl.common.errors import BadContent, MissingInput, UsageError
from genctl.inference.encoding import encode
from genctl.inference.resolve import resolve
from genctl.inference.resolved import CodeMix
from genctl.runs.model_file import TrainedModel
from tests.conftest import RunGenctl
from tests.support.texts import save_text_model


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    return save_text_model(tmp_path_factory.mktemp("text") / "model.safetensors")


def fail(message: str) -> None:
    pytest.fail(message)


def code_of(spec: str, trained: TrainedModel) -> torch.Tensor:
    (found,) = resolve([spec], trained, fail)
    return found.codes(0, 0, 1)[0]


def test_capitals_and_punctuation_say_nothing(trained: TrainedModel) -> None:
    plain = code_of("text:a thick seven leaning left", trained)
    assert torch.equal(code_of("text: A thick, SEVEN; leaning-left!", trained), plain)
    assert not torch.equal(code_of("text:a thin seven leaning left", trained), plain)


def test_prompts_share_z_so_that_a_column_shows_what_words_do(trained: TrainedModel) -> None:
    one, other = resolve(["text:a thin seven", "text:a thick seven"], trained, fail)
    assert torch.equal(one.z(3, 0, 5), other.z(3, 0, 5))
    assert one.picture is not None


@pytest.mark.parametrize(("prompt", "message"), [
    ("a thik seven", r"never seen 'thik' \(near: thick, .*; it knows 0, .* zero$"),
    ("qqqqqq", "never seen 'qqqqqq'; it knows"),
    ("", "it has no words; say what to draw"),
    ("?!", "it has no words"),
    ("seven " * 10_000, "10,000 words, and the model reads 16 at most"),
])  # fmt: skip
def test_words_that_the_model_cannot_read_are_refused(
    prompt: str, message: str, trained: TrainedModel
) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        resolve([f"text:{prompt}"], trained, fail)
    assert len(str(raised.value)) < 1000
    assert raised.value.exit_code == 2


def test_a_mix_of_prompts_goes_from_one_to_the_other(trained: TrainedModel) -> None:
    spec = "mix:text:a thick, wide seven,text:a thin one"
    (mix,) = resolve([spec], trained, fail, steps=5)
    assert isinstance(mix, CodeMix)
    codes = mix.codes(0, 0, 5)
    torch.testing.assert_close(codes[0], code_of("text:a thick wide seven", trained))
    torch.testing.assert_close(codes[4], code_of("text:a thin one", trained))
    (mixed,) = resolve(["mix:label:1,text:a seven"], trained, fail, steps=5)
    torch.testing.assert_close(mixed.codes(0, 0, 5)[0], code_of("label:1", trained))


def test_the_images_of_a_data_set_stand_for_their_captions(trained: TrainedModel) -> None:
    first, _ = resolve(["digits:test[0:2]"], trained, fail)
    assert first.name.startswith("text:a")
    assert torch.equal(first.codes(0, 0, 1)[0], code_of(first.name, trained))
    assert first.label is not None
    with pytest.raises(UsageError, match="captions of digits alone"):
        resolve(["mnist:test[0]"], trained, fail)


def test_pictures_and_words_are_told_apart(trained: TrainedModel, untrained_model: Path) -> None:
    from genctl.runs import model_file

    with pytest.raises(UsageError, match="conditioned on words; use text:"):
        resolve(["picture.png"], trained, fail)
    of_images = model_file.read(untrained_model, torch.device("cpu"))
    with pytest.raises(UsageError, match="not conditioned on words"):
        resolve(["text:a seven"], of_images, fail)


def test_a_file_of_captions_becomes_codes(trained: TrainedModel, tmp_path: Path) -> None:
    path = tmp_path / "captions.txt"
    path.write_text("\ufeffa thick seven\r\n\n  an upright 4\n", encoding="utf-8")
    encoded = encode([str(path), "text:a seven"], trained, fail)
    assert encoded.paths == ["text:a thick seven", "text:an upright 4", "text:a seven"]
    assert torch.equal(encoded.codes[1], code_of("text:an upright 4", trained))
    assert encoded.labels is None
    assert encoded.pixels.shape == (3, 1, 16, 16)  # drawings


@pytest.mark.parametrize(("content", "message"), [
    (b"\xff\xfe bad", "it is not UTF-8 text"),
    (b"", "it has no captions"),
    (b"a seven\na zeven\n", r"captions.txt:2: the model has never seen 'zeven' \(near: seven\)"),
    (b"seven " * 10_000, "10,000 words"),
])  # fmt: skip
def test_a_file_that_cannot_be_read_as_captions_is_refused(
    content: bytes, message: str, trained: TrainedModel, tmp_path: Path
) -> None:
    path = tmp_path / "captions.txt"
    path.write_bytes(content)
    with pytest.raises(BadContent, match=message):
        encode([str(path)], trained, fail)
    with pytest.raises(MissingInput):
        encode([str(tmp_path / "nothing.txt")], trained, fail)


def test_a_picture_of_prompts_is_reproduced(
    genctl: RunGenctl, trained: TrainedModel, tmp_path: Path
) -> None:
    done = genctl("sample", "--run", trained.path, "--prompt", "a thick, wide seven",
                  "--condition", "label:1", "--n", 3, "--out", "grid.png", "--json")  # fmt: skip
    assert done.code == 0, done.err
    assert done.json["request"]["conditions"] == ["label:1", "text:a thick, wide seven"]
    again = genctl("reproduce", "grid.png", "--json")
    assert again.json["identical"], again.err
