"""What ``--set section.key=value`` does to a config."""

import copy
from typing import Any, NamedTuple

from genctl.common.errors import ConfigError
from genctl.common.registry import kinds_of
from genctl.common.settings import Settings
from genctl.config import yaml_reader
from genctl.config.document import Document, KeyPath, Origin, Problem
from genctl.config.messages import describe_value


class Override(NamedTuple):
    """One ``--set`` option."""

    path: tuple[str, ...]  # section, key and, for nested settings, further keys
    value: Any
    origin: Origin  # the option as it was written


def apply_overrides(document: Document, options: list[str], sections: type[Settings]) -> Document:
    """``document`` with values replaced or added; ``sections`` is the class that it describes.

    Raises:
        ConfigError: an option does not look like ``section.key=value``, or is not YAML.
    """
    overrides = [_parse(option) for option in options]
    # Kinds first: a new kind clears its section, which the other options then fill, in any order.
    overrides.sort(key=lambda override: override.path[1:] != ("kind",))
    value, origins = copy.deepcopy(document.value), dict(document.origins)
    problems = list(document.problems)
    for path, new, origin in overrides:
        section = path[0]
        if value.get(section) is None:
            value[section] = _default_kind(sections, section)
            origins.setdefault((section,), origin)
        if path[1:] == ("kind",):
            for name in _settings_of_old_kind(value[section], new, kinds_of(sections, section)):
                del value[section][name]
                _remove(origins, (section, name))
        settings = value
        for depth, name in enumerate(path[:-1], start=1):
            settings = settings.setdefault(name, {})
            origins.setdefault(path[:depth], origin)
            if not isinstance(settings, dict):
                found = f"{'.'.join(path[:depth])} is {describe_value(settings)}"
                text = f"{'.'.join(path)}: unknown key; {found}, not a section of settings"
                problems.append(Problem(origin, text))
                break
        else:
            _remove(origins, path)
            settings[path[-1]], origins[path] = new, origin
    return Document(value, origins, problems)


def _parse(option: str) -> Override:
    origin = Origin(f"--set {option}")
    keys, equals, text = option.partition("=")
    path = tuple(key.strip() for key in keys.split("."))
    if not equals or len(path) < 2 or not all(path):
        raise ConfigError([f"{origin}: must look like section.key=value, as in training.seed=1"])
    return Override(path, yaml_reader.scalar(text, str(origin)), origin)


def _default_kind(sections: type[Settings], section: str) -> dict[str, Any]:
    """A section that the file leaves out, with the kind that it has by default."""
    field = sections.model_fields.get(section)
    default = field.get_default(call_default_factory=True) if field else None
    kind = getattr(default, "kind", None)
    return {} if kind is None else {"kind": kind}


def _settings_of_old_kind(settings: Any, kind: Any, kinds: dict[str, type[Settings]]) -> list[str]:
    """The settings that a section loses when it gets a new ``kind``.

    What both kinds inherit, such as a data set's image size, means the same for both and stays.
    """
    if not isinstance(settings, dict) or settings.get("kind") in (None, kind):
        return []
    old, new = kinds.get(str(settings["kind"])), kinds.get(str(kind))
    shared = _inherited_by_both(old, new) if old and new else set()
    return [name for name in settings if name not in shared]


def _inherited_by_both(one: type[Settings], other: type[Settings]) -> set[str]:
    bases = [base for base in one.__mro__ if issubclass(base, Settings) and issubclass(other, base)]
    return {name for base in bases for name in base.model_fields}


def _remove(origins: dict[KeyPath, Origin], path: KeyPath) -> None:
    """Remove ``path`` and all inside it."""
    for known in [known for known in origins if known[: len(path)] == path]:
        del origins[known]
