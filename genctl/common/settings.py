"""The base class of every section of settings in a YAML file."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Typed, frozen values; unknown keys, wrong types, infinity and NaN are refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        validate_default=True,
        use_attribute_docstrings=True,
    )


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
