"""Write docs/configuration.md, with every section, kind and key, from the settings' docstrings."""

import inspect
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from genctl.common.files import atomic_write
from genctl.common.registry import kinds_of
from genctl.common.settings import (
    Settings,
    bookkeeping_fields,
    field_docstrings,
    nested_settings,
)
from genctl.config.config import Config

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"

INTRODUCTION = """\
# Configuration reference

<!-- Written by scripts/config_reference from the docstrings of the settings; do not edit. -->

A config is a YAML file. Every key has a default unless it is *required*, so a file holds only what
it changes:

```yaml
data: {kind: mnist}
condition:
  kind: image
  augment: {degrees: 15}
optimizer: {learning_rate: 2e-3, schedule: linear}
training: {images: 1000000}
```

- `genctl configs list`, `show NAME` and `copy NAME FILE` give complete examples.
- `genctl configs check FILE` reports all mistakes at once, with their lines.
- `genctl train --set optimizer.betas=[0.0,0.99] --set condition.augment.degrees=5` overrides single
  values. A new `kind` drops the settings of the old one.
- Durations are counted in images: real images that the critic has seen.
- Numbers and words are read by YAML 1.2: `1e-3` is a number, `on` and `010` are words. Tags are
  refused.
- Keys marked † do not change what a run computes. They are not part of its default name, and may
  change when it is resumed.
"""

TYPES = {"integer": "integer", "number": "number", "boolean": "true or false", "string": "text"}
LIMITS = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}

Row = tuple[str, str, str, str]  # key, type, default, meaning


def reference() -> str:
    """The page."""
    return "\n".join([INTRODUCTION, *map(section, Config.model_fields)])


def section(name: str) -> str:
    """One section of a config; keys that several of its kinds have come first, each once."""
    field = Config.model_fields[name]
    lines = [f"## `{name}`", "", field_docstrings(Config)[name], ""]
    kinds = kinds_of(Config, name)
    if not kinds:
        return "\n".join(lines + table(rows(nested_settings(Config)[name])))
    default = field.get_default(call_default_factory=True).kind
    lines += [f"`{name}.kind` is one of {one_of(list(kinds))}; the default is `{default}`.", ""]
    users: dict[Row, list[str]] = {}  # the kinds that have a key of that type and default
    for kind, settings in kinds.items():
        for row in rows(settings):
            users.setdefault(row, []).append(kind)
    shared = {row: names for row, names in users.items() if len(names) > 1}
    if shared:
        lines += ["Keys of more than one kind:", ""]
        lines += table([(*row, some_of(names, kinds)) for row, names in shared.items()])
    for kind, settings in kinds.items():
        own = [row for row in rows(settings) if row not in shared]
        also = [row[0] for row in rows(settings) if row in shared]
        lines += [f"### `{name}: {{kind: {kind}}}`", "", docstring(settings), ""]
        lines += [f"Also {', '.join(also)}.", ""] if also else []
        lines += table(own)
    return "\n".join(lines)


def rows(settings: type[Settings], prefix: str = "") -> list[Row]:
    """A row for each key but ``kind``, and for each key of nested sections."""
    found: list[Row] = []
    for name, schema in settings.model_json_schema()["properties"].items():
        if inner := nested_settings(settings).get(name):
            found += rows(inner, f"{prefix}{name}.")
        elif name != "kind":
            key = f"`{prefix}{name}`" + (" †" if name in bookkeeping_fields(settings) else "")
            default = f"`{plain(schema['default'])}`" if "default" in schema else "*required*"
            found.append((key, type_of(schema), default, one_line(schema["description"])))
    return found


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The lines of a Markdown table; none where there are no keys."""
    if not rows:
        return []
    head = ["key", "type", "default", "meaning", "kinds"][: len(rows[0])]
    lines = [" | ".join(cells) for cells in (head, ["---"] * len(head), *rows)]
    return [*(f"| {line} |" for line in lines), ""]


def type_of(schema: dict[str, Any]) -> str:
    """What a value may be, in words: ``integer ≥ 2``."""
    if "anyOf" in schema:
        return ", or ".join(map(type_of, reversed(schema["anyOf"])))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return one_of(list(map(plain, schema["enum"])))
    if schema["type"] == "null":
        return "`null`"
    if schema["type"] == "array":
        item = schema["prefixItems"][0] if "prefixItems" in schema else schema["items"]
        least, most = schema["minItems"], schema["maxItems"]
        count = f"{least}" if least == most else f"{least} to {most}"
        return f"list of {count}, each: {type_of(item)}"
    limits = [f"{sign} {schema[name]:g}" for name, sign in LIMITS.items() if name in schema]
    return " ".join([TYPES[schema["type"]], " and ".join(limits)]).strip()


def plain(value: Any) -> str:
    """A value as it is written in YAML."""
    return json.dumps(value).strip('"')


def one_of(names: list[str]) -> str:
    """Names as a choice: a, b or c."""
    *front, last = (f"`{name}`" for name in names)
    return f"{', '.join(front)} or {last}" if front else last


def some_of(names: list[str], all_names: Iterable[str]) -> str:
    """Names, or those that are missing, whichever are fewer."""
    missing = [name for name in all_names if name not in names]
    if not missing:
        return "all"
    return f"all but {', '.join(missing)}" if len(missing) < len(names) else ", ".join(names)


def docstring(settings: type[Settings]) -> str:
    """The docstring of a class, each paragraph on one line."""
    return "\n\n".join(map(one_line, inspect.cleandoc(settings.__doc__ or "").split("\n\n")))


def one_line(text: str) -> str:
    """Text without line breaks, with the single backticks of Markdown."""
    return " ".join(text.split()).replace("``", "`")


if __name__ == "__main__":
    atomic_write(PAGE, reference().encode())
    print(PAGE)
