"""What ``--set section.key=value`` does to a config."""

from typing import Any

from genctl.common.errors import ConfigError
from genctl.common.registry import kinds_of
from genctl.common.settings import Settings
from genctl.config import yaml_reader as yaml_source
from genctl.config.yaml_reader import Document, Origin, Place

Override = tuple[str, str, Any, Origin]  # section, key, value, the option as it was written


def override(document: Document, options: list[str], sections: type[Settings]) -> Document:
    """``document`` with values replaced or added; ``sections`` is the class that it describes.

    Raises:
        ConfigError: an option does not look like ``section.key=value``, or is not YAML.
    """
    overrides = [_read(option) for option in options]
    # A kind goes first: it clears the section that the others then fill, in whatever order given.
    overrides.sort(key=lambda override: override[1] != "kind")
    value = {
        section: dict(settings) if isinstance(settings, dict) else settings
        for section, settings in document.value.items()
    }
    origins = dict(document.origins)
    for section, key, new, origin in overrides:
        origins.setdefault((section,), origin)
        if value.get(section) is None:
            value[section] = _begun(sections, section)
        settings = value[section]
        if not isinstance(settings, dict):
            continue  # validation tells that a section of settings belongs there
        outdated = _of_old_kind_only(settings, new, kinds_of(sections, section))
        for name in [key, *(outdated if key == "kind" else [])]:
            settings.pop(name, None)
            _forget(origins, (section, name))
        settings[key], origins[section, key] = new, origin
    return Document(value, origins, document.problems)


def _read(option: str) -> Override:
    origin = Origin(f"--set {option}")
    path, equals, text = option.partition("=")
    place = [word.strip() for word in path.split(".")]
    if not equals or len(place) != 2 or not all(place):
        raise ConfigError([f"{origin}: must look like section.key=value, as in training.seed=1"])
    return place[0], place[1], yaml_source.scalar(text, str(origin)), origin


def _begun(sections: type[Settings], section: str) -> dict[str, Any]:
    """A section that the file leaves out, so that one value of it can be set: its default kind."""
    field = sections.model_fields.get(section)
    default = field.get_default(call_default_factory=True) if field else None
    kind = getattr(default, "kind", None)
    return {} if kind is None else {"kind": kind}


def _of_old_kind_only(
    settings: dict[str, Any], kind: Any, kinds: dict[str, type[Settings]]
) -> list[str]:
    """The settings that a section loses with its kind.

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


def _forget(origins: dict[Place, Origin], place: Place) -> None:
    """Remove ``place`` and all inside it."""
    for known in [known for known in origins if known[: len(place)] == place]:
        del origins[known]
