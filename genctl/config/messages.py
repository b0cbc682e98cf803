"""Validation errors in the terms of the YAML file: where, which key, why, and what was meant."""

import re
from typing import Any

from pydantic_core import ErrorDetails

from genctl.common.nearest import did_you_mean
from genctl.common.registry import kinds_of
from genctl.config.document import Document, KeyPath, Problem
from genctl.config.suggestions import Sections, suggest_key

MAX_SUGGESTIONS = 100  # unknown keys of one file; more are no typing errors, and each takes time


def describe_errors(
    details: list[ErrorDetails], document: Document, sections: Sections
) -> list[Problem]:
    """Pydantic's errors, each as a problem at the line that holds the value."""
    return [
        _describe(detail, document, sections, suggest=number < MAX_SUGGESTIONS)
        for number, detail in enumerate(details)
    ]


def _describe(
    detail: ErrorDetails, document: Document, sections: Sections, suggest: bool
) -> Problem:
    path = _path_in_file(detail["loc"], document.value, sections)
    if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        path = (*path, "kind")
    key = ".".join(map(str, path))
    if detail["type"] == "extra_forbidden" and not suggest:
        why = "unknown key"
    else:
        why = _why(detail, path, document.value, sections)
    return Problem(document.origin(path), f"{key}: {why}")


def describe_value(value: Any) -> str:
    """What a value is, for a sentence: ``the number 7``."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the truth value {str(value).lower()}"
        case str():
            return f"the text {value!r}" if len(value) < 60 else "a long text"
        case int() | float():
            return f"the number {value}"
        case tuple() | list():
            return f"a list of {len(value)}"
        case dict():
            return "a section of settings"
    return repr(value)


def _path_in_file(loc: tuple[str | int, ...], value: Any, sections: Sections) -> KeyPath:
    """The validator's location without the kind that it puts between section and key."""
    if len(loc) > 1 and str(loc[1]) in kinds_of(sections, str(loc[0])) and "kind" in value[loc[0]]:
        return (loc[0], *loc[2:])
    return loc


def _why(detail: ErrorDetails, path: KeyPath, value: Any, sections: Sections) -> str:
    found = describe_value(detail["input"])
    context = detail.get("ctx", {})
    kinds = kinds_of(sections, str(path[0]))
    match detail["type"]:
        case "extra_forbidden":
            kind = value[path[0]]["kind"] if kinds else None
            return f"unknown key{suggest_key(path, kind, sections)}"
        case "missing":
            return "is missing, and has no default"
        case "union_tag_not_found":
            return f"is missing; choose one of {', '.join(kinds)}"
        case "union_tag_invalid":
            kind = value[path[0]]["kind"]
            near = did_you_mean(str(kind), kinds)
            return f"{describe_value(kind)} is not one of {', '.join(kinds)}{near}"
        case "model_type" | "model_attributes_type" | "dict_type":
            section = value[path[0]]  # `condition: image` is what one tries first
            is_kind = len(path) == 1 and isinstance(section, str) and section in kinds
            hint = f"; write {path[0]}: {{kind: {section}}}" if is_kind else ""
            return f"must be a section of settings, found {found}{hint}"
        case "value_error":
            return str(context["error"])
        case "literal_error":
            expected = context["expected"]
            near = did_you_mean(str(detail["input"]), re.findall(r"'(.+?)'", expected))
            return f"must be {expected}, found {found}{near}"
        case "too_short":
            return f"must have at least {context['min_length']} values, found {found}"
        case "too_long":
            return f"must have at most {context['max_length']} values, found {found}"
        case "int_type" if _is_whole(detail["input"]):  # 1e6 is a float in YAML
            return f"must be an integer, found {found}; write {int(detail['input'])}"
    expected = detail["msg"].replace("Input should be", "must be")
    expected = expected.replace("a valid integer", "an integer").replace("valid tuple", "list")
    expected = expected.replace("valid ", "")
    return f"{expected}, found {found}"


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and abs(value) < 2**53 and value.is_integer()
