"""Whatever is written into a config, after --set or after --condition: a meaning, or a reason."""

import contextlib
import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genctl.common.errors import BadContent, GenctlError, MissingInput, UsageError
from genctl.common.registry import kinds
from genctl.config import config as configs
from genctl.data.digits import Digits
from genctl.data.pictures import tensor_to_pil
from genctl.inference.resolve import resolve
from genctl.runs import model_file
from genctl.runs.model_file import TrainedModel
from tests.support.models import save_model

WORDS = st.sampled_from(
    [*configs.Config.model_fields, *kinds("objectives"), *kinds("data"), "kind",
     "gamma", "image_size", "images", "root", "7", "-1", "1e-3", ".nan", "[1, 2]", "{}", "~",
     "true", "x", "!x", "*x", "&x", '"', "\0"]
)  # fmt: skip
LINES = st.builds(
    lambda indent, key, value: f"{'  ' * indent}{key}: {value}", st.integers(0, 2), WORDS, WORDS
)
CONFIG = st.text(max_size=80) | st.lists(LINES, max_size=6).map("\n".join)
OPTION = st.builds("{}.{}={}".format, WORDS, WORDS, WORDS) | st.text(max_size=20)


def understand(text: str, options: list[str]) -> None:
    """A config that can be written and read again, or lines that say where it is wrong."""
    problems, config = [], None
    try:
        config = configs.parse(text, "file.yaml", options)
    except GenctlError as error:
        problems = error.lines()
    assert bool(problems) == (config is None)
    assert all(line.startswith(("file.yaml", "--set ")) for line in problems)
    assert config is None or configs.parse(configs.dump(config), "dumped") == config


@pytest.mark.fault("E1")
@settings(max_examples=250, deadline=None)
@given(CONFIG, st.lists(OPTION, max_size=3))
def test_any_text_gives_a_config_or_an_error_for_people(text: str, options: list[str]) -> None:
    understand(text, options)


@pytest.mark.slow
@pytest.mark.fault("E1")
@settings(max_examples=20_000, deadline=None)
@given(CONFIG, st.lists(OPTION, max_size=3))
def test_any_of_many_texts_gives_a_config_or_an_error_for_people(
    text: str, options: list[str]
) -> None:
    understand(text, options)


SPECIAL = st.sampled_from(
    ["label:", "mix:", "digits:test", "[", "]", ":", ",", "*", "?", "**", "some/", "~", "noise",
     "some", ".npz", ".png", "-1", "3", "..", "\0", "\n"]
)  # fmt: skip
SPEC = st.lists(SPECIAL | st.text(max_size=4), max_size=5).map("".join)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """A model, in a folder where there are a few pictures; the working directory is there too."""
    folder = tmp_path_factory.mktemp("specs")
    (folder / "some").mkdir()
    for number in range(3):
        tensor_to_pil(Digits(image_size=16).load("test").pixels[number]).save(
            folder / "some" / f"{number}.png"
        )
    os.chdir(folder)
    return model_file.read(save_model(folder / "any.safetensors"), torch.device("cpu"))


def show(spec: str, trained: TrainedModel) -> None:
    """Conditions with codes of the model's width, or a reason."""
    with contextlib.suppress(BadContent, MissingInput, UsageError):
        shown = resolve([spec], trained, lambda text: None)
        assert all(one.codes(0, 0, 1).shape == (1, 16) for one in shown)


@pytest.mark.fault("E1")
@settings(max_examples=200, deadline=None)
@given(spec=SPEC)
def test_any_words_give_conditions_or_a_reason(spec: str, trained: TrainedModel) -> None:
    show(spec, trained)


@pytest.mark.slow
@pytest.mark.fault("E1")
@settings(max_examples=10_000, deadline=None)
@given(spec=SPEC)
def test_any_of_many_words_give_conditions_or_a_reason(spec: str, trained: TrainedModel) -> None:
    show(spec, trained)
