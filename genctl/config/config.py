"""From YAML and ``--set`` to one frozen ``Config``, with every mistake told at once."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from genctl.common.errors import ConfigError, MissingInput
from genctl.common.registry import OneOf, kinds
from genctl.common.settings import Settings, bookkeeping_fields
from genctl.conditions.base import Condition
from genctl.config import presets
from genctl.config import yaml_reader as yaml_source
from genctl.config.evaluation import EvaluationSettings
from genctl.config.messages import describe, described
from genctl.config.optimizer import OptimizerSettings
from genctl.config.overrides import override
from genctl.config.training import TrainingSettings
from genctl.config.yaml_reader import Document, Problem
from genctl.data.base import Data
from genctl.networks.base import Networks
from genctl.objectives.base import Objective


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
    evaluation: EvaluationSettings = EvaluationSettings()
    """Scores during training."""

    def problems(self) -> dict[str, str]:
        """What does not go together, by the key to change."""
        found = self.networks.problems(self.data.image_size)
        found |= self.objective.problems(self.networks)
        return {f"networks.{name}": why for name, why in found.items()}


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
    """The text of the file or preset called ``source``; of an overlong one, the beginning."""
    try:
        with Path(source).open(encoding="utf-8") as file:
            return file.read(yaml_source.MAX_FILE + 1)
    except UnicodeDecodeError as error:
        raise ConfigError([f"{source}: is not UTF-8 text: {error.reason}"]) from None
    except IsADirectoryError:
        if presets.exists(source):
            return presets.text(source)
        raise ConfigError([f"{source}: is a directory; give the YAML file in it"]) from None
    except (FileNotFoundError, NotADirectoryError):
        return presets.text(source)
    except OSError as error:
        raise MissingInput(f"cannot read {source}: {error.strerror}; check the path") from None


def parse(text: str, name: str, overrides: list[str] | None = None) -> Config:
    """Read a config from YAML text; ``name`` is what messages call it.

    Raises:
        ConfigError: with every problem found, each beginning with the place it stands at.
    """
    document = _sections(yaml_source.parse(text, name))
    document = override(document, overrides or [], Config)
    problems = list(document.problems)
    try:
        config = Config.model_validate(document.value)
    except ValidationError as error:
        problems += [describe(detail, document, Config) for detail in error.errors()]
    else:
        for key, why in config.problems().items():
            problems.append(Problem(document.origin(tuple(key.split("."))), f"{key}: {why}"))
    if problems:
        problems.sort(key=lambda problem: problem.origin.line)
        raise ConfigError([str(problem) for problem in problems])
    return config


def _sections(document: Document) -> Document:
    """Refuse what has no keys at all."""
    origin = document.origin(())
    if document.value is None:
        why = "is empty; `genctl configs show digits_gan` shows a full one"
        raise ConfigError([f"{origin.source}: {why}"])
    if not isinstance(document.value, dict):
        why = f"found {described(document.value)} where keys such as `data:` are needed"
        raise ConfigError([f"{origin}: {why}"])
    return document


def dump(config: Config) -> str:
    """The YAML text that spells out every value and reads back as the same config."""
    return yaml_source.dump(config.model_dump(mode="json"))


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
    """``{"training": {"seed": 1}}`` as ``{"training.seed": 1}``, at any depth."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{name}": inner for name, inner in flatten(value).items()}
        else:
            flat[key] = value
    return flat


def schema() -> dict[str, Any]:
    """JSON Schema of a config file, for editors."""
    return Config.model_json_schema()


def _computed(config: Config) -> dict[str, Any]:
    values = config.model_dump(mode="json")
    for section, settings in config:
        for name in bookkeeping_fields(type(settings)):
            del values[section][name]
    return values
