"""What ``--set section.key=value`` does to a config."""

from typing import Any, NamedTuple

from genctl.common.errors import ConfigError
from genctl.common.registry import kinds_of
from genctl.common.settings import Settings
from genctl.config import yaml_reader
from genctl.config.yaml_reader import Document, Origin, Place


class Override(NamedTuple):
    """One ``--set`` option."""

    place: tuple[str, ...]  # section, key and, for nested settings, further keys
    value: Any
    origin: Origin  # the option as it was written


def override(document: Document, options: list[str], sections: type[Settings]) -> Document:
    """``document`` with values replaced or added; ``sections`` is the class that it describes.

    Raises:
        ConfigError: an option does not look like ``section.key=value``, or is not YAML.
    """
    overrides = [_parse(option) for option in options]
    # Kinds first: a new kind clears its section, which the other options then fill, in any order.
    overrides.sort(key=lambda override: override.place[1:] != ("kind",))
    value = {section: _copied(settings) for section, settings in document.value.items()}
    origins = dict(document.origins)
    for place, new, origin in overrides:
        section, *inner, key = place
        origins.setdefault((section,), origin)
        if value.get(section) is None:
            value[section] = _default_kind(sections, section)
        settings = value[section]
        if isinstance(settings, dict) and place[1:] == ("kind",):
            for name in _settings_of_old_kind(settings, new, kinds_of(sections, section)):
                del settings[name]
                _remove(origins, (section, name))
        for depth, name in enumerate(inner, start=2):
            if not isinstance(settings, dict):
                break
            settings = settings.setdefault(name, {})
            origins.setdefault(place[:depth], origin)
        if isinstance(settings, dict):  # otherwise validation reports what is there instead
            _remove(origins, place)
            settings[key], origins[place] = new, origin
    return Document(value, origins, document.problems)


def _parse(option: str) -> Override:
    origin = Origin(f"--set {option}")
    path, equals, text = option.partition("=")
    place = tuple(word.strip() for word in path.split("."))
    if not equals or len(place) < 2 or not all(place):
        raise ConfigError([f"{origin}: must look like section.key=value, as in training.seed=1"])
    return Override(place, yaml_reader.scalar(text, str(origin)), origin)


def _copied(value: Any) -> Any:
    """A copy of nested dictionaries."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return value


def _default_kind(sections: type[Settings], section: str) -> dict[str, Any]:
    """A section that the file leaves out, with the kind that it has by default."""
    field = sections.model_fields.get(section)
    default = field.get_default(call_default_factory=True) if field else None
    kind = getattr(default, "kind", None)
    return {} if kind is None else {"kind": kind}


def _settings_of_old_kind(
    settings: dict[str, Any], kind: Any, kinds: dict[str, type[Settings]]
) -> list[str]:
    """The settings that a section loses when it gets a new ``kind``.

    What both kinds inherit, as every data set does its image size, means the same for both.
    """
    if settings.get("kind") in (None, kind):
        return []
    old, new = kinds.get(str(settings["kind"])), kinds.get(str(kind))
    shared = set(_inherited_by_both(old, new)) if old and new else set()
    return [name for name in settings if name not in shared]


def _inherited_by_both(one: type[Settings], other: type[Settings]) -> list[str]:
    bases = [base for base in one.__mro__ if issubclass(base, Settings) and issubclass(other, base)]
    return [name for base in bases for name in base.model_fields]


def _remove(origins: dict[Place, Origin], place: Place) -> None:
    """Remove ``place`` and all inside it."""
    for known in [known for known in origins if known[: len(place)] == place]:
        del origins[known]
