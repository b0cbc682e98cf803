"""From YAML and ``--set`` to one frozen ``Config``, with every mistake told at once."""

import difflib
import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from genctl import presets, yaml_source
from genctl.conditions.base import Condition
from genctl.data.base import Data
from genctl.errors import ConfigError, MissingInput
from genctl.networks.base import Networks
from genctl.objectives.base import Objective
from genctl.optimizer import OptimizerSettings
from genctl.registry import OneOf, kinds
from genctl.settings import Settings, bookkeeping_fields
from genctl.training import TrainingSettings
from genctl.yaml_source import Document, Place


def _default(folder: str, kind: str) -> Any:
    return Field(default_factory=lambda: kinds(folder)[kind]())


class Config(Settings):
    """Everything that a run is made of."""

    data: Annotated[Data, OneOf("data")] = _default("data", "digits")
    """The images to learn from."""
    condition: Annotated[Condition, OneOf("conditions")] = _default("conditions", "none")
    """What the generator is shown besides noise."""
    networks: Annotated[Networks, OneOf("networks")] = _default("networks", "dcgan")
    """The family that generator, critic and encoder are built from."""
    objective: Annotated[Objective, OneOf("objectives")] = _default("objectives", "nonsaturating")
    """The game that the networks play."""
    optimizer: OptimizerSettings = OptimizerSettings()
    """How a gradient becomes a step."""
    training: TrainingSettings = TrainingSettings()
    """How long, in which batches, and what is kept."""

    def problems(self) -> dict[str, str]:
        """What does not go together, by the key to change."""
        found = self.networks.problems(self.data.image_size)
        found |= self.objective.problems(self.networks)
        return {f"networks.{name}": why for name, why in found.items()}


FOLDERS = {
    "data": "data",
    "condition": "conditions",
    "networks": "networks",
    "objective": "objectives",
}


def load(source: str, overrides: list[str] | None = None) -> Config:
    """Read a config from a path or, where no such file exists, the preset of that name.

    Args:
        source: a path, or the name of a preset with or without ``.yaml``.
        overrides: ``key.path=value``, each replacing or adding one value.

    Raises:
        MissingInput: neither a file nor a preset of that name.
        ConfigError: with every problem found, each beginning with the place it stands at.
    """
    return parse(read_source(source), source, overrides)


def read_source(source: str) -> str:
    """The text of the file or preset called ``source``."""
    path = Path(source)
    if not path.exists():
        return presets.text(source)
    try:
        if path.stat().st_size > yaml_source.LARGEST_FILE:
            raise ConfigError([f"{source}: is larger than {yaml_source.LARGEST_FILE} bytes"])
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError([f"{source}: is not UTF-8 text: {error.reason}"]) from None
    except IsADirectoryError:
        raise ConfigError([f"{source}: is a directory; give the YAML file in it"]) from None
    except OSError as error:
        raise MissingInput(f"cannot read {source}: {error.strerror}; check the path") from None


def parse(text: str, name: str, overrides: list[str] | None = None) -> Config:
    """Read a config from YAML text; ``name`` is what messages call it."""
    document = yaml_source.parse(text, name)
    if document.value is None:
        raise ConfigError([f"{name}: is empty; `genctl configs show digits_gan` shows a full one"])
    if not isinstance(document.value, dict):
        found = _kind_of(document.value)
        raise ConfigError([f"{name}:1: holds {found}; keys such as `data:` are needed"])
    document = _override(document, overrides or [])
    try:
        config = Config.model_validate(document.value)
    except ValidationError as error:
        raise ConfigError([_describe(detail, document) for detail in error.errors()]) from None
    problems = config.problems()
    if problems:
        places: dict[str, Place] = {key: tuple(key.split(".")) for key in problems}
        raise ConfigError(
            [f"{document.origin(places[key])}: {key}: {why}" for key, why in problems.items()]
        )
    return config


def dump(config: Config) -> str:
    """The YAML text that spells out every value and reads back as the same config."""
    values = config.model_dump(mode="json")
    return yaml.safe_dump(values, sort_keys=False, default_flow_style=None)


def digest(config: Config) -> str:
    """SHA-256 over everything in ``config`` that changes what a run computes."""
    text = json.dumps(_computed(config), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(old: Config, new: Config) -> list[str]:
    """One line ``key: old -> new`` for each setting that makes the two compute other things."""
    before, after = flatten(_computed(old)), flatten(_computed(new))
    return [
        f"{key}: {before.get(key, '(not set)')} -> {after.get(key, '(not set)')}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def flatten(values: dict[str, Any]) -> dict[str, Any]:
    """``{"training": {"seed": 1}}`` as ``{"training.seed": 1}``."""
    return {
        f"{section}.{key}": value
        for section, settings in values.items()
        for key, value in settings.items()
    }


def schema() -> dict[str, Any]:
    """JSON Schema of a config file, for editors."""
    return Config.model_json_schema()


def _computed(config: Config) -> dict[str, Any]:
    values = config.model_dump(mode="json")
    for section, settings in config:
        for name in bookkeeping_fields(type(settings)):
            del values[section][name]
    return values


# -- command-line overrides -----------------------------------------------------------------------


def _override(document: Document, overrides: list[str]) -> Document:
    pairs = [_split(override) for override in overrides]
    # A kind goes first: it clears the section that the other overrides then fill.
    pairs.sort(key=lambda pair: pair[0][-1:] != ("kind",))
    value = {key: dict(section) if isinstance(section, dict) else section
             for key, section in document.value.items()}  # fmt: skip
    origins = dict(document.origins)
    for place, new, origin in pairs:
        section = value.setdefault(place[0], {})
        if not isinstance(section, dict):
            raise ConfigError([f"{origin}: {place[0]} is not a section of settings"])
        if place[1] == "kind" and section.get("kind") != new:
            section.clear()
        section[place[1]] = new
        origins[place] = origin
    return Document(value, origins)


def _split(override: str) -> tuple[tuple[str, ...], Any, str]:
    origin = f"--set {override}"
    key, equals, text = override.partition("=")
    place = tuple(key.strip().split("."))
    if not equals or len(place) != 2 or not all(place):
        raise ConfigError([f"{origin}: must look like section.key=value, as in training.seed=1"])
    return place, yaml_source.scalar(text, origin), origin


# -- messages -------------------------------------------------------------------------------------


def _describe(detail: ErrorDetails, document: Document) -> str:
    place = _place_in_file(detail["loc"], document.value)
    where = f"{document.origin(place)}: {'.'.join(map(str, place))}"
    match detail["type"]:
        case "extra_forbidden":
            return f"{where}: unknown key{_nearest(place, document.value)}"
        case "union_tag_not_found":
            return f"{where}: has no kind; choose one of {_kinds_of(place[0])}"
        case "union_tag_invalid":
            found = document.value[place[0]]["kind"]
            near = _did_you_mean(str(found), kinds(FOLDERS[str(place[0])]))
            return f"{where}.kind: {found!r} is not one of {_kinds_of(place[0])}{near}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{where}: must be a section of settings, found {_kind_of(detail['input'])}"
        case "value_error":
            return f"{where}: {detail['ctx']['error']}" if place else str(detail["ctx"]["error"])
    wanted = detail["msg"].replace("Input should be", "must be").replace("valid ", "")
    return f"{where}: {wanted}, found {_kind_of(detail['input'])}"


def _place_in_file(loc: tuple[str | int, ...], value: Any) -> Place:
    """The validator's location without the kind that it puts between section and key."""
    section = value.get(loc[0]) if loc else None
    kind = section.get("kind") if isinstance(section, dict) else None
    if len(loc) > 1 and loc[0] in FOLDERS and loc[1] == kind:
        return (loc[0], *loc[2:])
    return loc


def _kinds_of(section: str | int) -> str:
    return ", ".join(kinds(FOLDERS[str(section)]))


def _nearest(place: Place, value: dict[str, Any]) -> str:
    key = str(place[-1])
    if len(place) == 1:
        return _did_you_mean(key, Config.model_fields) or _elsewhere(key)
    section = str(place[0])
    own = _keys(section, value[section].get("kind"))
    others = [
        kind for kind in kinds(FOLDERS[section])
        if section in FOLDERS and key in _keys(section, kind)
    ] if section in FOLDERS else []  # fmt: skip
    if others:
        return f" (it belongs to {section}.kind {' and '.join(others)})"
    return _did_you_mean(key, own) or _elsewhere(key)


def _keys(section: str, kind: str | None) -> list[str]:
    if section in FOLDERS:
        return list(kinds(FOLDERS[section])[kind or ""].model_fields)
    settings: Any = Config.model_fields[section].annotation
    return list(settings.model_fields)


def _elsewhere(key: str) -> str:
    """Points to the same word in another section."""
    for section in Config.model_fields:
        kind_list: list[str | None] = (
            list(kinds(FOLDERS[section])) if section in FOLDERS else [None]
        )
        if any(key in _keys(section, kind) for kind in kind_list):
            return f"; did you mean {section}.{key}?"
    return ""


def _did_you_mean(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _kind_of(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the truth value {str(value).lower()}"
        case str():
            return f"the text {value!r}" if len(value) < 60 else "a long text"
        case int() | float():
            return f"the number {value}"
        case tuple() | list():
            return f"a list of {len(value)}"
        case dict():
            return "a section of settings"
    return repr(value)
