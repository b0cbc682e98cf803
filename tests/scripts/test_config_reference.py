"""``docs/configuration.md`` is what the docstrings of the settings say."""

import importlib
import re
from types import ModuleType

import pytest

from genctl.common.registry import kinds_of
from genctl.config import config as configs
from genctl.config.config import Config
from tests.conftest import REPOSITORY


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts"))
    return importlib.import_module("config_reference")


def test_the_page_is_up_to_date(module: ModuleType) -> None:
    page = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == module.reference(), "run scripts/config_reference"


def test_the_page_has_every_key_of_every_kind(module: ModuleType) -> None:
    page = module.reference()
    for section in Config.model_fields:
        assert f"## `{section}`\n" in page
        for kind in kinds_of(Config, section):
            assert f"### `{section}: {{kind: {kind}}}`\n" in page
    for name, definition in configs.schema()["$defs"].items():
        nested = "augment." if name.endswith("Augment") else ""
        for key in definition["properties"].keys() - {"kind", "augment"}:
            assert f"| `{nested}{key}`" in page


def test_the_example_of_the_page_is_valid(module: ModuleType) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", module.reference(), re.DOTALL)
    assert configs.parse(example, "example").condition.kind == "image"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 2, "maximum": 65536}, "integer ≥ 2 and ≤ 65536"),
        ({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "null"}]},
         "`null`, or number > 0"),
        ({"enum": [1, 3]}, "`1` or `3`"),
        ({"type": "array", "minItems": 2, "maxItems": 2, "prefixItems": [{"type": "number"}] * 2},
         "list of 2, each: number"),
        ({"type": "array", "minItems": 1, "maxItems": 8, "items": {"type": "string"}},
         "list of 1 to 8, each: text"),
    ],
)  # fmt: skip
def test_types_are_described_in_words(
    module: ModuleType, schema: dict[str, object], words: str
) -> None:
    assert module.type_of(schema) == words
