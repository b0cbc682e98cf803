"""YAML without surprises: plain values, each with the line it stands on.

Numbers and words are read by the core schema of YAML 1.2: ``1e-3`` is a float, ``on`` is a word,
``010`` is a word too. Tags, duplicate keys, runaway aliases and deep nesting are refused before
they can cost anything.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from genctl.errors import ConfigError

LARGEST_FILE = 256 * 1024  # bytes; the longest sensible config has a few thousand
DEEPEST_NESTING = 20
MOST_VALUES = 10_000  # counted after aliases are followed

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """Plain values and, for each place in them, the words that say where it was written."""

    value: Any
    origins: dict[Place, str] = field(default_factory=dict)

    def origin(self, place: Place) -> str:
        """Where ``place``, or the closest thing around it, was written: ``file:line``."""
        while place not in self.origins:
            place = place[:-1]
        return self.origins[place]


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


_CORE_SCHEMA = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    "float": (
        r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+0123456789."),
    ),
}
for _name, (_pattern, _first) in _CORE_SCHEMA.items():
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}", re.compile(f"^(?:{_pattern})$"), _first
    )


def parse(text: str, name: str) -> Document:
    """Read one YAML document; ``name`` is what messages call it.

    Raises:
        ConfigError: with every problem found, each beginning with ``name:line``.
    """
    if len(text) > LARGEST_FILE:
        raise ConfigError([f"{name}: is larger than {LARGEST_FILE} characters; not a config"])
    try:
        _refuse_tags_and_depth(text, name)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        raise ConfigError([f"{where}: not valid YAML: {error.problem}"]) from None
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ConfigError([f"{name}: not valid YAML: {reason}"]) from None
    reader = _Reader(name)
    value = None if node is None else reader.read(node, (), ())
    if reader.problems:
        raise ConfigError(reader.problems)
    return Document(value, {(): f"{name}:1", **reader.origins})


def scalar(text: str, name: str) -> Any:
    """Read what follows ``=`` on a command line: a number, a word, or a short list."""
    return parse(text, name).value


def _refuse_tags_and_depth(text: str, name: str) -> None:
    depth = 0
    for event in _events(text):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST_NESTING:
            raise ConfigError(
                [f"{name}:{_line(event)}: nested more than {DEEPEST_NESTING} levels deep"]
            )
        tag = getattr(event, "tag", None)
        if tag is not None:
            line = event.start_mark.line + 1
            raise ConfigError(
                [f"{name}:{line}: the tag {tag!r} is not allowed; write plain values"]
            )


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _events(text: str) -> Iterator[yaml.Event]:
    events: Iterator[yaml.Event] = yaml.parse(text, Loader=_Loader)
    return events


class _Reader:
    """Turns nodes into values while noting lines and problems."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.origins: dict[Place, str] = {}
        self.problems: list[str] = []
        self.values = 0

    def read(self, node: yaml.Node, place: Place, around: tuple[yaml.Node, ...]) -> Any:
        line = node.start_mark.line + 1
        self.origins.setdefault(place, f"{self.name}:{line}")
        self.values += 1
        if self.values > MOST_VALUES:
            raise ConfigError([f"{self.name}:{line}: aliases expand to over {MOST_VALUES} values"])
        if node in around:
            raise ConfigError([f"{self.name}:{line}: an alias refers to what contains it"])
        if isinstance(node, yaml.MappingNode):
            return self.read_mapping(node, place, (*around, node))
        if isinstance(node, yaml.SequenceNode):
            items = enumerate(node.value)
            return tuple(self.read(item, (*place, i), (*around, node)) for i, item in items)
        return self.read_scalar(node, line)

    def read_mapping(self, node: Any, place: Place, around: tuple[yaml.Node, ...]) -> Any:
        value: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(f"{self.name}:{line}: a key must be a word")
                continue
            key = key_node.value
            if key in lines:
                self.problems.append(
                    f"{self.name}:{line}: duplicate key {key!r}, first on line {lines[key]}"
                )
                continue
            lines[key] = line
            self.origins[(*place, key)] = f"{self.name}:{line}"
            value[key] = self.read(value_node, (*place, key), around)
        return value

    def read_scalar(self, node: yaml.Node, line: int) -> Any:
        kind = node.tag.rpartition(":")[2]
        text = node.value
        try:
            match kind:
                case "null":
                    return None
                case "bool":
                    return text.lower() == "true"
                case "int":
                    return int(text)
                case "float":
                    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError as error:  # an integer of thousands of digits
            self.problems.append(f"{self.name}:{line}: not a usable number: {error}")
            return None
        return text
