"""genctl configs, and what --set does to train."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genctl.common.registry import kinds
from genctl.config import config as configs
from genctl.config import presets
from tests.conftest import RunGenctl

MISTAKES = "data: {kind: digits}\ntraining:\n  seed: x\n  sed: 1\n"


def test_list_prints_each_preset_with_its_purpose(genctl: RunGenctl) -> None:
    done = genctl("configs", "list")
    assert (done.code, done.err) == (0, "")
    for name, line in zip(presets.names(), done.out.splitlines(), strict=True):
        assert line.split() == [name, *presets.summary(name).split()]
    assert genctl("configs", "list", "--json").json == {
        "configs": {name: presets.summary(name) for name in presets.names()}
    }


def test_show_prints_the_text_of_a_preset(genctl: RunGenctl) -> None:
    assert genctl("configs", "show", "tiny").out == presets.text("tiny")
    shown = genctl("configs", "show", "tiny", "--json").json
    assert shown == configs.load("tiny").model_dump(mode="json")


def test_copy_writes_a_valid_config_and_never_replaces_a_file(
    genctl: RunGenctl, tmp_path: Path
) -> None:
    done = genctl("configs", "copy", "tiny", "mine.yaml", "--json")
    assert (done.code, done.json) == (0, {"out": "mine.yaml", "schema": "genctl.schema.json"})
    modeline, _, text = (tmp_path / "mine.yaml").read_text().partition("\n")
    assert modeline == "# yaml-language-server: $schema=genctl.schema.json"
    assert text == presets.text("tiny")
    schema = json.loads((tmp_path / "genctl.schema.json").read_text())
    assert schema == genctl("configs", "schema", "--json").json
    assert genctl("configs", "check", "mine.yaml").code == 0
    (tmp_path / "mine.yaml").write_text("mine")
    again = genctl("configs", "copy", "mnist_gan", "mine.yaml")
    assert (again.code, again.out) == (73, "")
    assert again.err == "genctl: error: cannot write mine.yaml: it exists; choose another name\n"
    assert (tmp_path / "mine.yaml").read_text() == "mine"
    assert genctl("configs", "copy", "tiny", "no/folder/x.yaml").code == 73


def test_the_schema_beside_a_copy_is_brought_up_to_date_but_nothing_else_replaced(
    genctl: RunGenctl, tmp_path: Path
) -> None:
    beside = tmp_path / "folder" / "genctl.schema.json"
    beside.parent.mkdir()
    beside.write_text('{"title": "Config of genctl", "properties": {}}')
    assert genctl("configs", "copy", "tiny", "folder/one.yaml").code == 0
    assert json.loads(beside.read_text()) == configs.schema()
    for other in ("", "[]", '{"title": "something else"}'):
        beside.write_text(other)
        done = genctl("configs", "copy", "tiny", "folder/two.yaml")
        assert done.code == 73
        assert "folder/genctl.schema.json: it exists and is not a schema of genctl" in done.err
        assert beside.read_text() == other
        assert not (tmp_path / "folder" / "two.yaml").exists()


def test_check_accepts_a_valid_file(genctl: RunGenctl, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("data: {kind: digits}\n")
    done = genctl("configs", "check", "mine.yaml")
    assert (done.code, done.out, done.err) == (0, "", "mine.yaml: valid\n")
    assert genctl("configs", "check", "mine.yaml", "--quiet").err == ""
    checked = genctl("configs", "check", "mine.yaml", "--json").json
    assert checked["config"]["networks"]["kind"] == "dcgan"


def test_check_prints_each_mistake_on_its_own_line(genctl: RunGenctl, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(MISTAKES)
    done = genctl("configs", "check", "mine.yaml")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines() == [
        "genctl: error: mine.yaml:3: training.seed: must be an integer, found the text 'x'",
        "genctl: error: mine.yaml:4: training.sed: unknown key; did you mean training.seed?",
    ]
    failed = genctl("configs", "check", "mine.yaml", "--json")
    assert failed.json["exit_code"] == failed.code == 2
    assert "mine.yaml:4: training.sed" in failed.json["error"]


# -- the schema -----------------------------------------------------------------------------------


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        schema = list(schema.values())
    if isinstance(schema, list):
        for item in schema:
            yield from nodes(item)


def test_the_schema_has_every_section_and_kind_and_allows_nothing_else(genctl: RunGenctl) -> None:
    schema = genctl("configs", "schema", "--json").json
    assert json.loads(genctl("configs", "schema").out) == schema
    assert schema["properties"].keys() == configs.Config.model_fields.keys()
    assert "required" not in schema
    objects = [node for node in nodes(schema) if node.get("type") == "object"]
    assert all(node["additionalProperties"] is False for node in objects)
    for section, folder in (("data", "data"), ("objective", "objectives")):
        mapping = schema["properties"][section]["discriminator"]["mapping"]
        assert mapping.keys() == kinds(folder).keys()


def test_the_schema_explains_each_setting(genctl: RunGenctl) -> None:
    definitions = genctl("configs", "schema", "--json").json["$defs"]
    unexplained = {
        f"{name}.{key}"
        for name, definition in definitions.items()
        for key, setting in definition["properties"].items()
        if key != "kind" and "$ref" not in setting and not setting.get("description")
    }
    assert unexplained == set()


# -- train --dry-run ------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["dcgan", "resnet"])
def test_set_objective_kind_vae_works_alone(genctl: RunGenctl, family: str) -> None:
    tanh = ["--set", "networks.kind=resnet", "--set", "networks.tanh=true"]
    done = genctl(
        "train", "--config", "digits_gan", "--dry-run", "--json", "--device", "cpu",
        "--set", "objective.kind=vae", *(tanh if family == "resnet" else []),
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.json["config"]["objective"] == {"kind": "vae", "beta": 1.0}
    assert done.json["config"]["networks"]["kind"] == family
    assert done.json["parameters"]["generator"] > 0
    assert done.json["parameters"]["critic"] == 0


def test_a_bad_override_is_refused_before_anything_is_created(
    genctl: RunGenctl, tmp_path: Path
) -> None:
    done = genctl("train", "--config", "tiny", "--set", "training.seed")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "genctl: error: --set training.seed: must look like section.key=value, as in "
        "training.seed=1\n"
    )
    assert list(tmp_path.iterdir()) == []
