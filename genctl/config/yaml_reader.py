"""YAML without surprises: plain values, each with the line it stands on.

Numbers and words are read by the core schema of YAML 1.2: ``1e-3`` is a float, ``on`` is a word,
``010`` is a word too. Tags, runaway aliases and deep nesting are refused before they can cost
anything.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from genctl.common.errors import ConfigError

MAX_FILE = 64 * 1024  # characters; the longest sensible config has a few thousand
MAX_NESTING = 20
MAX_VALUES = 10_000  # counted after aliases are followed

# What no path and no word of a config contains, and what a terminal would obey.
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

Place = tuple[str | int, ...]


class Origin(NamedTuple):
    """Where something was written: a line of a file, or an option (which has no lines)."""

    source: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


class Problem(NamedTuple):
    """Something to mend."""

    origin: Origin
    text: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.text}"


@dataclass(frozen=True)
class Document:
    """Plain values, where each place in them was written, and what is wrong with the writing."""

    value: Any
    origins: dict[Place, Origin]
    problems: list[Problem] = field(default_factory=list)

    def origin(self, place: Place) -> Origin:
        """Where ``place``, or the closest thing around it, was written."""
        while place not in self.origins:
            place = place[:-1]
        return self.origins[place]


def parse(text: str, name: str) -> Document:
    """Read one YAML document; ``name`` is what messages call it.

    Raises:
        ConfigError: it cannot be read to its end. Mistakes that leave the rest readable, as a
            duplicate key does, are in the document's ``problems``.
    """
    return _Reader(name, lined=True).document(text)


def scalar(text: str, name: str) -> Any:
    """Read what follows ``=`` on a command line: a number, a word, or a short list.

    Raises:
        ConfigError: it is not YAML.
    """
    document = _Reader(name, lined=False).document(text)
    if document.problems:
        raise ConfigError([str(problem) for problem in document.problems])
    return document.value


def dump(values: dict[str, Any]) -> str:
    """The YAML text that ``parse`` reads as ``values``; short lists stand on one line."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, default_flow_style=None)


# -- the core schema ------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


class _Dumper(yaml.SafeDumper):
    """Quotes exactly the words that ``_Loader`` would take for something else."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


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


def _plain(node: yaml.ScalarNode) -> Any:
    text: str = node.value
    match node.tag.rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int" if len(text) <= 20 and abs(int(text)) < 2**63:
            return int(text)
        case "int" | "float":  # an integer that no machine word holds is a float
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


# -- reading --------------------------------------------------------------------------------------


class _Reader:
    """Turns text into values while noting lines and problems."""

    def __init__(self, name: str, lined: bool) -> None:
        self.name, self.lined = name, lined
        self.origins: dict[Place, Origin] = {(): self.origin(1)}
        self.problems: list[Problem] = []
        self.values = 0

    def origin(self, line: int) -> Origin:
        return Origin(self.name, line if self.lined else 0)

    def refusal(self, line: int, text: str) -> ConfigError:
        return ConfigError([str(Problem(self.origin(line), text))])

    def document(self, text: str) -> Document:
        if len(text) > MAX_FILE:
            raise self.refusal(0, f"holds more than {MAX_FILE:,} characters; no config does")
        try:
            self.refuse_tags_and_depth(text)
            node = yaml.compose(text, Loader=_Loader)
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            character = UNPRINTABLE.sub(lambda found: repr(found[0])[1:-1], chr(error.character))
            raise self.refusal(line, f"holds the character {character}; not a text file") from None
        except yaml.MarkedYAMLError as error:
            raise self.refusal(*_explain(error)) from None
        except (ValueError, OverflowError):  # what chr() and int() say to PyYAML
            raise self.refusal(
                0, r"not valid YAML: an escape such as \UFFFFFFFF stands for no character"
            ) from None
        value = None if node is None else self.read(node, (), ())
        return Document(value, self.origins, self.problems)

    def refuse_tags_and_depth(self, text: str) -> None:
        """Look at the stream of events, before anything recursive does."""
        depth = 0
        for event in _events(text):
            line = event.start_mark.line + 1 if event.start_mark else 0
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > MAX_NESTING:
                raise self.refusal(line, f"nested more than {MAX_NESTING} levels deep")
            tag = getattr(event, "tag", None)
            if tag is not None:
                raise self.refusal(line, f"the tag {tag!r} is not allowed; write plain values")

    def read(self, node: yaml.Node, place: Place, around: tuple[yaml.Node, ...]) -> Any:
        line = node.start_mark.line + 1
        self.origins.setdefault(place, self.origin(line))
        self.values += 1
        if self.values > MAX_VALUES:
            raise self.refusal(line, f"aliases expand to more than {MAX_VALUES:,} values")
        if node in around:
            raise self.refusal(line, "an alias refers to what contains it")
        if len(around) > MAX_NESTING:  # a chain of aliases is deeper than the text looks
            raise self.refusal(line, f"nested more than {MAX_NESTING} levels deep")
        if isinstance(node, yaml.MappingNode):
            return self.read_mapping(node, place, (*around, node))
        if isinstance(node, yaml.SequenceNode):
            items = enumerate(node.value)
            return tuple(self.read(item, (*place, i), (*around, node)) for i, item in items)
        assert isinstance(node, yaml.ScalarNode)
        self.require_printable(node)
        return _plain(node)

    def read_mapping(
        self, node: yaml.MappingNode, place: Place, around: tuple[yaml.Node, ...]
    ) -> dict[str, Any]:
        value: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(self.origin(line), "a key must be a word"))
                continue
            self.require_printable(key_node)
            key = key_node.value
            if key in lines:
                first = f"first on line {lines[key]}" if self.lined else "given twice"
                dotted = ".".join(map(str, (*place, key)))
                self.problems.append(
                    Problem(self.origin(line), f"{dotted}: duplicate key, {first}")
                )
                continue
            lines[key] = line
            self.origins[(*place, key)] = self.origin(line)
            value[key] = self.read(value_node, (*place, key), around)
        return value

    def require_printable(self, node: yaml.ScalarNode) -> None:
        """Refuse what only an escape in quotes can write, and no path or name can hold."""
        if UNPRINTABLE.search(node.value):
            line = node.start_mark.line + 1
            raise self.refusal(line, f"{node.value!r} holds a control character; leave it out")


def _events(text: str) -> Iterator[yaml.Event]:
    events: Iterator[yaml.Event] = yaml.parse(text, Loader=_Loader)
    return events


def _explain(error: yaml.MarkedYAMLError) -> tuple[int, str]:
    """The line where YAML gave up, and why; also where it began to go wrong, if elsewhere."""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 0
    begun = error.context_mark.line + 1 if error.context_mark else line
    hint = f" (in what begins on line {begun})" if begun != line else ""
    return line, f"not valid YAML: {error.problem}{hint}"
