"""The keys that a config can have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, get_args

from genctl.common.registry import kinds_of
from genctl.common.settings import Settings, nested_settings


class Key(NamedTuple):
    """A key of a config, as one kind of its section has it."""

    path: str  # condition.augment.degrees
    name: str  # degrees, the field
    settings: type[Settings]  # the class that has the field


def every_key(sections: type[Settings]) -> Iterator[Key]:
    """The keys of every kind of every section; one that several kinds have comes once for each.

    Args:
        sections: the class that describes a whole config.
    """
    for section in sections.model_fields:
        kinds = kinds_of(sections, section).values() or [nested_settings(sections)[section]]
        for settings in kinds:
            yield from _keys_below(section, settings)


def choices_of(sections: type[Settings], path: str) -> list[str]:
    """The words that the value at ``path`` can be; empty if it can be anything else."""
    choices: dict[str, None] = {}
    for key in every_key(sections):
        if key.path == path:
            choices |= dict.fromkeys(_choices(key.settings.model_fields[key.name].annotation))
    return list(choices)


def is_integer(path: str, sections: type[Settings]) -> bool:
    """Whether the value at ``path`` must be an integer, in every kind that has that key."""
    found = [
        key.settings.model_fields[key.name].annotation
        for key in every_key(sections)
        if key.path == path
    ]
    return bool(found) and all(_numbers(annotation) == {int} for annotation in found)


def _keys_below(path: str, settings: type[Settings]) -> Iterator[Key]:
    nested = nested_settings(settings)
    for name in settings.model_fields:
        yield Key(f"{path}.{name}", name, settings)
    for name, inner in nested.items():
        yield from _keys_below(f"{path}.{name}", inner)


def _choices(annotation: Any) -> list[str]:
    """The values of a ``Literal``, also inside ``Annotated`` or a union; those of a truth value."""
    if annotation is bool:
        return ["true", "false"]
    words: list[str] = []
    for argument in get_args(annotation):
        words += [str(argument)] if isinstance(argument, str | int) else _choices(argument)
    return words


def _numbers(annotation: Any) -> set[type]:
    """The types of numbers in an annotation."""
    if annotation in (int, float):
        return {annotation}
    return set().union(*(_numbers(argument) for argument in get_args(annotation)))
