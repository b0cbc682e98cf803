"""Labels and captions from a table beside the pictures: ``metadata.jsonl``, or a CSV file.

The format is that of Hugging Face's image folders: ``file_name``, below the folder of the table,
and ``label`` or ``text``.
"""

from __future__ import annotations

import csv
import json
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genctl.common.errors import BadContent, MissingInput

DEFAULT_NAMES = ("metadata.jsonl", "metadata.csv", "labels.csv")
"""Tables that are used without being asked for; the first that is there."""

FILE_COLUMNS = ("file_name", "filename", "file", "image")
LABEL_COLUMNS = ("label", "class", "category")
TEXT_COLUMNS = ("text", "caption")


@dataclass(frozen=True)
class Row:
    """What a table says about one picture."""

    label: str | None
    text: str | None


@dataclass(frozen=True)
class Table:
    """What a table says about pictures, by their names below its folder."""

    path: Path
    rows: dict[str, Row]
    repeated: int  # rows about a picture that an earlier row is about

    @property
    def has_labels(self) -> bool:
        """Whether any picture has a label."""
        return any(row.label is not None for row in self.rows.values())

    @property
    def has_captions(self) -> bool:
        """Whether any picture has a caption."""
        return any(row.text for row in self.rows.values())


def find_table(folder: Path, name: str | None = None) -> Table | None:
    """The table in ``folder``: of that name, or one that is used without being asked for.

    Raises:
        MissingInput: there is none of that name, or it cannot be read.
        BadContent: it is not a table.
    """
    if name is not None:
        path = folder / name
        if not path.is_file():
            raise MissingInput(f"cannot read data.labels {path}: no such file; check the name")
        return read_table(path)
    paths = (folder / name for name in DEFAULT_NAMES)
    return next((read_table(path) for path in paths if path.is_file()), None)


def read_table(path: Path) -> Table:
    """Read a table whose format its ending tells.

    Raises:
        MissingInput: it cannot be read.
        BadContent: it is not a table; the message names the line.
    """
    try:
        read = _read_csv if path.suffix.lower() == ".csv" else _read_json_lines
        rows: dict[str, Row] = {}
        repeated = 0
        for line, values in read(path):
            name = _name(path, line, values)
            repeated += name in rows
            rows.setdefault(name, Row(_first(values, LABEL_COLUMNS), _first(values, TEXT_COLUMNS)))
    except UnicodeDecodeError:
        raise BadContent(f"cannot use {path}: not UTF-8 text; save it as UTF-8") from None
    except csv.Error as error:
        raise BadContent(f"cannot use {path}: not a CSV file: {error}; write it again") from None
    except OSError as error:
        raise MissingInput(f"cannot read {path}: {error.strerror}; check the path") from None
    if not rows:
        raise BadContent(f"cannot use {path}: it has no rows; delete it or fill it in")
    return Table(path, rows, repeated)


def _read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BadContent(
                    f"cannot use {path}:{number}: not JSON: {error}; write one object on each line"
                ) from None
            if not isinstance(values, dict):
                raise BadContent(
                    f"cannot use {path}:{number}: not a JSON object; write "
                    '{"file_name": "a.png", "text": "…"}'
                )
            yield number, values


def _read_csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        head = file.readline()
        file.seek(0)
        delimiter = max(",;\t", key=head.count)
        reader = csv.DictReader(file, delimiter=delimiter)
        columns = [name.strip() for name in reader.fieldnames or ()]
        if not set(columns) & set(FILE_COLUMNS):
            raise BadContent(
                f"cannot use {path}:1: it has no column file_name; begin it with the line "
                "file_name,label"
            )
        reader.fieldnames = columns
        for values in reader:
            yield reader.line_num, values


def _name(path: Path, line: int, values: dict[str, Any]) -> str:
    """The picture that a row is about."""
    name = _first(values, FILE_COLUMNS)
    if name is None:
        raise BadContent(f"cannot use {path}:{line}: it has no file_name; name a picture")
    return posixpath.normpath(name.replace("\\", "/"))


def _first(values: dict[str, Any], columns: tuple[str, ...]) -> str | None:
    """The first value that is there; numbers as they are written."""
    for column in columns:
        value = values.get(column)
        if isinstance(value, str) and value.strip():
            return value.strip()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
    return None
