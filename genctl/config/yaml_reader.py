r"""YAML by the core schema of version 1.2, as plain values with the line of each.

``1e-3`` is a float; ``on`` and ``010`` are strings. Tags, multiplying aliases and deep nesting are
refused before they cost anything. PyYAML parses. The rest is ours because ruamel.yaml 0.19 would
save about 30 of these lines, the schema, and not even those: it reads ``010`` as 10 and
``2024-01-01`` as a date, accepts ``!!int``, stops at the first duplicate key, and fails with a
RecursionError on 1,000 brackets; strictyaml knows no ``{flow: style}``.
"""

import re
from typing import Any

import yaml

from genctl.common.errors import ConfigError
from genctl.config.document import Document, KeyPath, Origin, Problem

MAX_FILE = 64 * 1024  # characters; the longest sensible config has a few thousand
MAX_NESTING = 20
MAX_VALUES = 10_000  # counted after aliases are followed

# No path and no name contains them, and a terminal would obey them.
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def parse(text: str, name: str) -> Document:
    """Read one YAML document; ``name`` is what messages call it.

    Raises:
        ConfigError: it cannot be read to its end. Mistakes that leave the rest readable, such as
            duplicate keys, are in the document's ``problems``.
    """
    return _Reader(name, has_lines=True).document(text)


def scalar(text: str, name: str) -> Any:
    """Read the value of a command-line option: a number, a word, a short list or mapping.

    Raises:
        ConfigError: it is not YAML.
    """
    document = _Reader(name, has_lines=False).document(text)
    if document.problems:
        raise ConfigError([str(problem) for problem in document.problems])
    return document.value


def dump(values: dict[str, Any]) -> str:
    """The YAML text that ``parse`` reads as ``values``; short lists stay on one line."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, default_flow_style=None)


class _NotAllowed(yaml.MarkedYAMLError):
    """Valid YAML that a config must not contain."""


class _Loader(yaml.SafeLoader):
    """Composes nodes with the types of the core schema; refuses tags and deep nesting."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        nested = isinstance(event, yaml.CollectionStartEvent)
        tag = getattr(event, "tag", None)
        if tag is not None:
            why = f"the tag {tag!r} is not allowed; write plain values"
            raise _NotAllowed(problem=why, problem_mark=event.start_mark)
        if nested and self.depth == MAX_NESTING:
            why = f"nested more than {MAX_NESTING} levels deep"
            raise _NotAllowed(problem=why, problem_mark=event.start_mark)
        self.depth += nested
        node = super().compose_node(parent, index)
        self.depth -= nested
        return node


class _Dumper(yaml.SafeDumper):
    """Quotes exactly the strings that ``_Loader`` would read as something else."""

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
        case "int" | "float":  # an integer beyond 64 bits is a float
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


class _Reader:
    """Turns text into values and collects their lines and problems."""

    def __init__(self, name: str, has_lines: bool) -> None:
        self.name, self.has_lines = name, has_lines
        self.origins: dict[KeyPath, Origin] = {(): self.origin(1)}
        self.problems: list[Problem] = []
        self.values = 0

    def origin(self, line: int) -> Origin:
        return Origin(self.name, line if self.has_lines else 0)

    def error(self, line: int, text: str) -> ConfigError:
        return ConfigError([str(Problem(self.origin(line), text))])

    def document(self, text: str) -> Document:
        if len(text) > MAX_FILE:
            raise self.error(0, f"holds more than {MAX_FILE:,} characters; no config does")
        try:
            node = yaml.compose(text, Loader=_Loader)
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            character = chr(error.character)
            character = CONTROL_CHARACTERS.sub(lambda found: repr(found[0])[1:-1], character)
            raise self.error(line, f"holds the character {character}; not a text file") from None
        except yaml.MarkedYAMLError as error:
            raise self.error(*_explain(error)) from None
        except (ValueError, OverflowError):  # from chr() and int() inside PyYAML
            raise self.error(
                0, r"not valid YAML: an escape such as \UFFFFFFFF stands for no character"
            ) from None
        value = None if node is None else self.read(node, ())
        return Document(value, self.origins, self.problems)

    def read(self, node: yaml.Node, path: KeyPath) -> Any:
        line = node.start_mark.line + 1
        self.origins.setdefault(path, self.origin(line))
        self.values += 1
        if self.values > MAX_VALUES:
            raise self.error(line, f"aliases expand to more than {MAX_VALUES:,} values")
        if len(path) > MAX_NESTING:
            raise self.error(line, f"aliases nest more than {MAX_NESTING} levels deep")
        if isinstance(node, yaml.MappingNode):
            return self.read_mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return tuple(self.read(item, (*path, i)) for i, item in enumerate(node.value))
        assert isinstance(node, yaml.ScalarNode)
        self.require_printable(node)
        return _plain(node)

    def read_mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        value: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            origin = self.origin(key_node.start_mark.line + 1)
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(origin, "a key must be a word"))
                continue
            self.require_printable(key_node)
            key = key_node.value
            if key in lines:
                first = f"first on line {lines[key]}" if self.has_lines else "given twice"
                name = ".".join(map(str, (*path, key)))
                self.problems.append(Problem(origin, f"{name}: duplicate key, {first}"))
                continue
            lines[key] = origin.line
            self.origins[(*path, key)] = origin
            value[key] = self.read(value_node, (*path, key))
        return value

    def require_printable(self, node: yaml.ScalarNode) -> None:
        """Refuse control characters, which only an escape in quotes can write."""
        if CONTROL_CHARACTERS.search(node.value):
            line = node.start_mark.line + 1
            raise self.error(line, f"{node.value!r} holds a control character; leave it out")


def _explain(error: yaml.MarkedYAMLError) -> tuple[int, str]:
    """The line of an error, and its reason; also where the faulty part begins, if elsewhere."""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 0
    if isinstance(error, _NotAllowed):
        return line, str(error.problem)
    begins = error.context_mark.line + 1 if error.context_mark else line
    hint = f" (in what begins on line {begins})" if begins != line else ""
    return line, f"not valid YAML: {error.problem}{hint}"
