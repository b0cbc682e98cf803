"""Channels that follow the image size: the words `auto` and `small` instead of a list."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SerializationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from genctl.networks.base import Channels

Word = Literal["auto", "small"]
WORDS: tuple[Word, ...] = get_args(Word)


class _ListOrWord:
    """Validates a list as ``Channels``, so that messages are about lists, or takes a word."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            _validate,
            handler.generate_schema(Channels),
            serialization=core_schema.plain_serializer_function_ser_schema(
                _serialize, info_arg=True
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        lists = handler(schema)
        return {"anyOf": [{"enum": list(WORDS), "type": "string"}, lists]}


def _validate(value: Any, as_list: core_schema.ValidatorFunctionWrapHandler) -> Any:
    if value in WORDS:
        return value
    if isinstance(value, str):
        raise ValueError(f"must be a list of channel counts, or {' or '.join(WORDS)}")
    # JSON has no tuples, and pydantic cannot tell here that it reads JSON.
    return as_list(tuple(value) if isinstance(value, list) else value)


def _serialize(
    value: tuple[int, ...] | str, info: SerializationInfo
) -> tuple[int, ...] | list[int] | str:
    if isinstance(value, str) or not info.mode_is_json():
        return value
    return list(value)  # JSON has no tuples


AutoChannels = Annotated[tuple[int, ...] | Word, _ListOrWord()]
"""Channels of consecutive layers, or a word for those that suit the image size."""


def doubling(count: int, most_pixels: int, limit: int) -> tuple[int, ...]:
    """``count`` numbers of channels that double from layer to layer, up to a limit.

    Args:
        count: of layers, from the highest resolution to the lowest.
        most_pixels: channels at the highest resolution.
        limit: channels at most.
    """
    return tuple(min(limit, most_pixels << layer) for layer in range(count))


def listed(channels: tuple[int, ...] | Word) -> tuple[int, ...]:
    """A list that a word has been replaced by already."""
    assert not isinstance(channels, str)
    return channels
