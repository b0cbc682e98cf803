"""Validation errors in the words of the YAML file: where, which key, why, and what was meant."""

import difflib
import re
from collections.abc import Iterable
from typing import Any

from pydantic_core import ErrorDetails

from genctl.common.registry import kinds_of
from genctl.common.settings import Settings
from genctl.config.yaml_reader import Document, Place, Problem

Sections = type[Settings]  # the class whose fields are the sections of the file


def describe(detail: ErrorDetails, document: Document, sections: Sections) -> Problem:
    """One of pydantic's errors, as a problem at the line that holds the value."""
    place = _place_in_file(detail["loc"], document.value, sections)
    if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        place = (*place, "kind")
    key = ".".join(map(str, place))
    return Problem(
        document.origin(place), f"{key}: {_why(detail, place, document.value, sections)}"
    )


def described(value: Any) -> str:
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


def _place_in_file(loc: tuple[str | int, ...], value: Any, sections: Sections) -> Place:
    """The validator's location without the kind that it puts between section and key."""
    if len(loc) > 1 and str(loc[1]) in kinds_of(sections, str(loc[0])) and "kind" in value[loc[0]]:
        return (loc[0], *loc[2:])
    return loc


def _why(detail: ErrorDetails, place: Place, value: Any, sections: Sections) -> str:
    found = described(detail["input"])
    context = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key{_meant(place, value, sections)}"
        case "missing":
            return "is missing, and has no default"
        case "union_tag_not_found":
            return f"is missing; choose one of {', '.join(kinds_of(sections, str(place[0])))}"
        case "union_tag_invalid":
            kinds = kinds_of(sections, str(place[0]))
            kind = value[place[0]]["kind"]
            return f"{described(kind)} is not one of {', '.join(kinds)}{_near(str(kind), kinds)}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"must be a section of settings, found {found}{_as_kind(place, value, sections)}"
        case "value_error":
            return str(context["error"])
        case "literal_error":
            wanted = context["expected"]
            near = _near(str(detail["input"]), re.findall(r"'(.+?)'", wanted))
            return f"must be {wanted}, found {found}{near}"
        case "too_short":
            return f"must have at least {context['min_length']} values, found {found}"
        case "too_long":
            return f"must have at most {context['max_length']} values, found {found}"
        case "int_type" if _is_whole(detail["input"]):  # 1e6 is a float in YAML
            return f"must be an integer, found {found}; write {int(detail['input'])}"
    wanted = detail["msg"].replace("Input should be", "must be")
    wanted = wanted.replace("a valid integer", "an integer").replace("valid tuple", "list")
    wanted = wanted.replace("valid ", "")
    return f"{wanted}, found {found}"


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and abs(value) < 2**53 and value.is_integer()


def _as_kind(place: Place, value: Any, sections: Sections) -> str:
    """``condition: image`` is what one tries first."""
    kind = value[place[0]] if len(place) == 1 else None
    if isinstance(kind, str) and kind in kinds_of(sections, str(place[0])):
        return f"; write {place[0]}: {{kind: {kind}}}"
    return ""


def _meant(place: Place, value: Any, sections: Sections) -> str:
    """Where an unknown key belongs, or which known one is close to it."""
    key = str(place[-1])
    if len(place) == 1:
        return _elsewhere(key, sections) or _near(key, sections.model_fields)
    section = str(place[0])
    kinds = kinds_of(sections, section)
    own = kinds[value[section]["kind"]] if kinds else _settings(section, sections)
    for name in place[1:-1]:
        own = _settings(str(name), own)
    if key in own.model_fields:
        return ""
    others = [kind for kind, settings in kinds.items() if key in settings.model_fields]
    if others and len(place) == 2:
        return f" of kind {value[section]['kind']}; it belongs to {', '.join(others)}"
    near = _near(key, own.model_fields)
    return _elsewhere(key, sections) or near


def _elsewhere(key: str, sections: Sections) -> str:
    """Points to the same word in another section."""
    for section in sections.model_fields:
        answers = list(kinds_of(sections, section).values()) or [_settings(section, sections)]
        for settings in answers:
            if key in settings.model_fields:
                return f"; did you mean {section}.{key}?"
            for name, field in settings.model_fields.items():
                if _is_settings(field.annotation) and key in _settings(name, settings).model_fields:
                    return f"; did you mean {section}.{name}.{key}?"
    return ""


def _is_settings(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Settings)


def _settings(name: str, sections: Sections) -> Sections:
    """The class of the settings that a field holds."""
    settings = sections.model_fields[name].annotation
    assert isinstance(settings, type)
    assert issubclass(settings, Settings)
    return settings


def _near(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
