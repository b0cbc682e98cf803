"""The keys that a config can have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, get_args

from genctl.common.registry import kinds_of
from genctl.common.settings import Settings, nested_settings


class Key(NamedTuple):
    """A key of a config, as one kind of its section has it."""

    path: str  # condition.augment.degrees
    settings: type[Settings]  # the class of which it is a field

    @property
    def name(self) -> str:
        """The last word of the path, which is the name of the field."""
        return self.path.rpartition(".")[2]

    def choices(self) -> list[str]:
        """The values that it can have, as YAML writes them; none where they are not a few words."""
        return _choices(self.settings.model_fields[self.name].annotation)


def every_key(sections: type[Settings]) -> Iterator[Key]:
    """The keys of every kind of every section, but for the ``kind`` of each.

    A key that several kinds have is yielded once for each.

    Args:
        sections: the class that describes a whole config.
    """
    for section in sections.model_fields:
        kinds = kinds_of(sections, section).values() or [nested_settings(sections)[section]]
        for settings in kinds:
            yield from _keys_below(section, settings)


def _keys_below(path: str, settings: type[Settings]) -> Iterator[Key]:
    nested = nested_settings(settings)
    for name in settings.model_fields:
        if name != "kind":
            yield Key(f"{path}.{name}", settings)
    for name, inner in nested.items():
        yield from _keys_below(f"{path}.{name}", inner)


def _choices(annotation: Any) -> list[str]:
    """The words of a ``Literal``, also inside ``Annotated`` or a union; those of a truth value."""
    if annotation is bool:
        return ["true", "false"]
    words: list[str] = []
    for argument in get_args(annotation):
        words += [argument] if isinstance(argument, str) else _choices(argument)
    return words
