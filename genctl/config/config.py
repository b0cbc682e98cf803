"""From YAML and ``--set`` to one frozen ``Config``; every mistake is reported at once."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from genctl.common.errors import ConfigError, MissingInput
from genctl.common.registry import OneOf, kinds
from genctl.common.settings import Settings, bookkeeping_fields
from genctl.conditions.base import Condition
from genctl.config import presets, yaml_reader
from genctl.config.document import Document, Problem
from genctl.config.evaluation import EvaluationSettings
from genctl.config.messages import describe_errors, describe_value
from genctl.config.optimizer import OptimizerSettings
from genctl.config.overrides import apply_overrides
from genctl.config.training import TrainingSettings
from genctl.data.base import Data
from genctl.networks.base import Networks
from genctl.objectives.base import Objective

SCHEMA_TITLE = "Config of genctl"


def _default(folder: str, kind: str) -> Any:
    return Field(default_factory=lambda: kinds(folder)[kind]())


class Config(Settings):
    """All settings of a run."""

    data: Annotated[Data, OneOf("data")] = _default("data", "digits")
    """The images to learn from."""
    condition: Annotated[Condition, OneOf("conditions")] = _default("conditions", "none")
    """What the generator is conditioned on besides noise."""
    networks: Annotated[Networks, OneOf("networks")] = _default("networks", "dcgan")
    """The architecture of generator, critic and encoder."""
    objective: Annotated[Objective, OneOf("objectives")] = _default("objectives", "nonsaturating")
    """The losses that the networks minimize."""
    optimizer: OptimizerSettings = OptimizerSettings()
    """Adam and its learning rates."""
    training: TrainingSettings = TrainingSettings()
    """Length of the run, batches, precision, checkpoints and logs."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """Scores during training."""

    @model_validator(mode="after")
    def _spell_out(self) -> Self:
        """Replace words such as `auto` by what they mean for the image size."""
        # pydantic wants this same object back, and it is not frozen for others yet.
        self.__dict__["networks"] = self.networks.for_size(self.data.image_size)
        return self

    def problems(self) -> dict[str, str]:
        """Why settings do not fit together, by the key to change."""
        found = self.networks.problems(self.data.image_size)
        problems = {f"networks.{name}": why for name, why in found.items()}
        found = self.condition.problems(self.training.batch_size)
        problems |= {f"condition.{name}": why for name, why in found.items()}
        return problems | self.objective.problems(self.networks, self.condition, self.data.shape)

    @property
    def z_dim(self) -> int:
        """Length of z."""
        return self.networks.z_dim_for(self.data.shape)


def load(source: str, overrides: list[str] | None = None) -> Config:
    """Read a config from a path or, where no such file exists, the preset of that name.

    Args:
        source: a path, or the name of a preset with or without ``.yaml``.
        overrides: ``key.path=value``, each replacing or adding one value.

    Raises:
        MissingInput: neither a file nor a preset of that name.
        ConfigError: with every problem found, each beginning with its file and line.
    """
    return parse(read_source(source), source, overrides)


def read_source(source: str) -> str:
    """The text of a file or preset; of a file that is too long, just more than is allowed."""
    try:
        with Path(source).open(encoding="utf-8") as file:
            return file.read(yaml_reader.MAX_FILE + 1)
    except UnicodeDecodeError as error:
        why = f"is not UTF-8 text: {error.reason}; save it as UTF-8"
        raise ConfigError([f"{source}: {why}"]) from None
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
        ConfigError: with every problem found, each beginning with its file and line.
    """
    document = yaml_reader.parse(text, name)
    _require_sections(document)
    document = apply_overrides(document, overrides or [], Config)
    problems = list(document.problems)
    try:
        config = Config.model_validate(document.value)
    except ValidationError as error:
        problems += describe_errors(error.errors(), document, Config)
    else:
        for key, why in config.problems().items():
            problems.append(Problem(document.origin(tuple(key.split("."))), f"{key}: {why}"))
    if problems:
        problems.sort(key=lambda problem: problem.origin.line)
        raise ConfigError([str(problem) for problem in problems])
    return config


def _require_sections(document: Document) -> None:
    """Refuse a document that has no keys at all."""
    origin = document.origin(())
    if document.value is None:
        why = "is empty; `genctl configs show digits_gan` shows a full one"
        raise ConfigError([f"{origin.source}: {why}"])
    if not isinstance(document.value, dict):
        why = f"found {describe_value(document.value)} where keys such as `data:` are needed"
        raise ConfigError([f"{origin}: {why}"])


def dump(config: Config) -> str:
    """The YAML text that spells out every value and reads back as the same config."""
    return yaml_reader.dump(config.model_dump(mode="json"))


def digest(config: Config) -> str:
    """SHA-256 over everything in ``config`` that changes what a run computes."""
    text = json.dumps(_computed(config), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(old: Config, new: Config) -> list[str]:
    """One line ``key: old -> new`` for each difference that changes what a run computes."""
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
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return dialect | Config.model_json_schema() | {"title": SCHEMA_TITLE}


def _computed(config: Config) -> dict[str, Any]:
    values = config.model_dump(mode="json")
    for section, settings in config:
        for name in bookkeeping_fields(type(settings)):
            del values[section][name]
    return values
