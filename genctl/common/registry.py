"""From the word after ``kind:`` to the class that answers it, found by looking into a folder.

A folder (``objectives``) is a question, each file in it may define answers: the subclasses of
``Settings`` with a field ``kind``. Adding a file is all it takes to add an answer.
"""

import importlib
import pkgutil
from functools import cache
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
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for answer in _answers(module):
            kind = _kind(answer)
            if kind in found:
                raise ImportError(
                    f"{module.__name__}: {found[kind].__module__} is {kind!r} already"
                )
            found[kind] = answer
    return found


def _answers(module: ModuleType) -> list[type[Settings]]:
    return [
        member
        for member in vars(module).values()
        if isinstance(member, type)
        and issubclass(member, Settings)
        and member.__module__ == module.__name__
        and isinstance(_kind(member), str)
    ]


def _kind(settings: type[Settings]) -> Any:
    field = settings.model_fields.get("kind")
    return field.default if field else None


def kinds_of(sections: type[Settings], section: str) -> dict[str, type[Settings]]:
    """Every kind that the field ``section`` of ``sections`` can be of; none where it has none."""
    field = sections.model_fields.get(section)
    marks = field.metadata if field else []
    return next((kinds(mark.folder) for mark in marks if isinstance(mark, OneOf)), {})


class OneOf:
    """Annotates a field whose class is chosen by the ``kind`` that the YAML file gives."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        answers: Any = Union[tuple(kinds(self.folder).values())]  # noqa: UP007 (built at run time)
        return handler.generate_schema(Annotated[answers, Field(discriminator="kind")])
