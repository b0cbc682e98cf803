"""Any config, --set or --condition is either understood or refused with a reason."""

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
OPTION = (
    st.builds("{}.{}={}".format, WORDS, WORDS, WORDS)
    | st.builds("condition.augment.{}={}".format, WORDS, WORDS)
    | st.text(max_size=20)
)


def require_understood_or_refused(text: str, options: list[str]) -> None:
    """A config that can be written and read again, or messages with their places."""
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
def test_any_text_gives_a_config_or_an_error_with_a_reason(text: str, options: list[str]) -> None:
    require_understood_or_refused(text, options)


@pytest.mark.slow
@pytest.mark.fault("E1")
@settings(max_examples=20_000, deadline=None)
@given(CONFIG, st.lists(OPTION, max_size=3))
def test_any_of_many_texts_gives_a_config_or_an_error_with_a_reason(
    text: str, options: list[str]
) -> None:
    require_understood_or_refused(text, options)


SPECIAL = st.sampled_from(
    ["label:", "mix:", "digits:test", "[", "]", ":", ",", "*", "?", "**", "some/", "~", "noise",
     "some", ".npz", ".png", "-1", "3", "..", "\0", "\n"]
)  # fmt: skip
SPEC = st.lists(SPECIAL | st.text(max_size=4), max_size=5).map("".join)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """A model in the working directory, which also has a few pictures."""
    folder = tmp_path_factory.mktemp("specs")
    (folder / "some").mkdir()
    for number in range(3):
        tensor_to_pil(Digits(image_size=16).load("test").pixels[number]).save(
            folder / "some" / f"{number}.png"
        )
    os.chdir(folder)
    return model_file.read(save_model(folder / "any.safetensors"), torch.device("cpu"))


def resolve_or_refuse(spec: str, trained: TrainedModel) -> None:
    """Conditions whose codes have the model's length, or a reason."""
    with contextlib.suppress(BadContent, MissingInput, UsageError):
        found = resolve([spec], trained, lambda text: None)
        assert all(one.codes(0, 0, 1).shape == (1, 16) for one in found)


@pytest.mark.fault("E1")
@settings(max_examples=200, deadline=None)
@given(spec=SPEC)
def test_any_spec_gives_conditions_or_an_error_with_a_reason(
    spec: str, trained: TrainedModel
) -> None:
    resolve_or_refuse(spec, trained)


@pytest.mark.slow
@pytest.mark.fault("E1")
@settings(max_examples=10_000, deadline=None)
@given(spec=SPEC)
def test_any_of_many_specs_gives_conditions_or_an_error_with_a_reason(
    spec: str, trained: TrainedModel
) -> None:
    resolve_or_refuse(spec, trained)
