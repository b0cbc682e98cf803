"""The base of every block of settings that a YAML file can hold."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Typed, frozen values; an unknown key, a wrong type, infinity and NaN are refused."""

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
    """Marks a field that changes how a run is kept, never what it computes.

    Such a field is left out of the hash that names a run, and may differ when it is resumed.
    """


def bookkeeping_fields(settings: type[Settings]) -> set[str]:
    """The names of the fields of ``settings`` that leave the result as it is."""
    return {
        name
        for name, field in settings.model_fields.items()
        if any(isinstance(mark, Bookkeeping) for mark in field.metadata)
    }
