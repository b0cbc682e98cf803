"""Finds the class for a ``kind:`` in YAML by looking into the folder of its section.

The kinds of a section are the subclasses of ``Settings`` with a field ``kind: Literal["..."]`` in
the files of one folder, such as ``genctl/objectives``. To add a kind, add a file.
"""

import importlib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Union

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from genctl.common.settings import Settings


@cache
def kinds(folder: str) -> dict[str, type[Settings]]:
    """Every kind that the files of ``genctl/<folder>`` define, by its name in YAML."""
    package = importlib.import_module(f"genctl.{folder}")
    found: dict[str, type[Settings]] = {}
    for file in sorted(Path(package.__path__[0]).glob("*.py")):
        if "kind: Literal[" not in file.read_text(encoding="utf-8"):
            continue  # importing it might load torch
        module = importlib.import_module(f"{package.__name__}.{file.stem}")
        for settings in _kinds_in(module):
            kind = settings.model_fields["kind"].default
            if kind in found:
                raise ImportError(
                    f"{module.__name__}: {found[kind].__module__} is {kind!r} already"
                )
            found[kind] = settings
    return found


def kinds_of(sections: type[Settings], section: str) -> dict[str, type[Settings]]:
    """The kinds that the field ``section`` of ``sections`` can have; empty if it has none."""
    field = sections.model_fields.get(section)
    marks = field.metadata if field else []
    return next((kinds(mark.folder) for mark in marks if isinstance(mark, OneOf)), {})


class OneOf:
    """Annotates a field whose class is chosen by the ``kind`` in the YAML file."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        choices: Any = Union[tuple(kinds(self.folder).values())]  # noqa: UP007 (built at run time)
        return handler.generate_schema(Annotated[choices, Field(discriminator="kind")])


def _kinds_in(module: ModuleType) -> list[type[Settings]]:
    return [
        member
        for member in vars(module).values()
        if isinstance(member, type)
        and issubclass(member, Settings)
        and member.__module__ == module.__name__
        and "kind" in member.model_fields
        and isinstance(member.model_fields["kind"].default, str)
    ]
