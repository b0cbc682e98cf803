"""The JSON Schema, by the reference implementation: it accepts presets and finds mistakes."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from genctl.config import config as configs
from genctl.config import presets, yaml_reader
from genctl.config.overrides import apply_overrides
from tests.config.problems import problems_of

SCHEMA = configs.schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def values(text: str, *overrides: str) -> Any:
    """What an editor reads from YAML text."""
    document = apply_overrides(yaml_reader.parse(text, "x.yaml"), list(overrides), configs.Config)
    return json.loads(json.dumps(document.value))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == VALIDATOR.META_SCHEMA["$id"]


@pytest.mark.parametrize("name", presets.names())
def test_presets_are_valid_as_written_and_spelled_out(name: str) -> None:
    VALIDATOR.validate(values(presets.text(name)))
    VALIDATOR.validate(values(configs.dump(configs.load(name))))


@pytest.mark.parametrize(
    "mistake",
    [
        "training.sed=1",
        "training.seed=x",
        "training.seed=-1",
        "training.batch_size=1",
        "optimizer.schedule=steps",
        "optimizer.betas=[0.5]",
        "objective.kind=gun",
        "objective.gama=1",
        "condition.augment.degrees=-3",
        "trainning.seed=1",
    ],
)
def test_a_mistake_that_check_reports_is_one_for_editors_too(mistake: str) -> None:
    assert problems_of(presets.text("tiny"), mistake)
    assert not VALIDATOR.is_valid(values(presets.text("tiny"), mistake))
