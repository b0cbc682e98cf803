"""The base class of every section of settings in a YAML file."""

import ast
import inspect
from dataclasses import dataclass
from itertools import pairwise
from textwrap import dedent

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Settings(BaseModel):
    """Typed, frozen values; unknown keys, wrong types, infinity and NaN are refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        validate_default=True,
        defer_build=True,  # most classes are only validated as a part of others
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """JSON Schema with the docstrings of the fields."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in field_docstrings(cls).items():
            properties[name]["description"] = text
        return schema


@dataclass(frozen=True)
class Bookkeeping:
    """Marks a field that changes how a run is stored, never what it computes.

    Such a field is left out of the hash that names a run, and may differ when it is resumed.
    """


def bookkeeping_fields(settings: type[Settings]) -> set[str]:
    """The names of the fields of ``settings`` that do not change what a run computes."""
    return {
        name
        for name, field in settings.model_fields.items()
        if any(isinstance(mark, Bookkeeping) for mark in field.metadata)
    }


def nested_settings(settings: type[Settings]) -> dict[str, type[Settings]]:
    """The fields of ``settings`` that are sections themselves, with their classes."""
    return {
        name: field.annotation
        for name, field in settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings)
    }


def field_docstrings(settings: type[Settings]) -> dict[str, str]:
    """The text below each field of ``settings`` that has one, inherited fields included.

    Pydantic can read them too, but does so whenever a class is imported, at a quarter of the time
    that a light command takes.
    """
    found: dict[str, str] = {}
    for base in reversed(settings.__mro__):
        if issubclass(base, Settings):
            found |= _own_docstrings(base)
    return {name: found[name] for name in settings.model_fields if name in found}


def _own_docstrings(settings: type[Settings]) -> dict[str, str]:
    (definition,) = ast.parse(dedent(inspect.getsource(settings))).body
    assert isinstance(definition, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(definition.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
