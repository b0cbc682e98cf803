"""YAML as genctl reads it: the values of the core schema, the line of each, and few limits.

What is refused, in which words and in how little memory, is tested in ``tests/faults``.
"""

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from genctl.common.errors import ConfigError
from genctl.config import yaml_reader
from genctl.config.document import Origin


def problem(text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        yaml_reader.parse(text, "file.yaml")
    (found,) = raised.value.problems
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-.5", -0.5),
        ("1E3", 1000.0),
        ("+7", 7),
        ("-0", 0),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", float(2**63)),
        ("-" + "9" * 5000, -math.inf),
        ("-.inf", -math.inf),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("tRUE", "tRUE"),
        ("0o7", "0o7"),
        ("nan", "nan"),
        ("=", "="),
        ("'1'", "1"),
        ("[1, [a], {b: 2}]", (1, ("a",), {"b": 2})),
        ("{<<: {b: 1}}", {"<<": {"b": 1}}),
    ],
)
def test_values_are_those_of_the_core_schema(text: str, expected: object) -> None:
    found = yaml_reader.parse(f"key: {text}\n", "file.yaml").value["key"]
    assert found == expected
    assert type(found) is type(expected)


def test_each_value_knows_its_line() -> None:
    document = yaml_reader.parse("# a comment\na:\n  b: 1\n  c: [2,\n    3]\n", "file.yaml")
    assert document.origin(("a",)) == Origin("file.yaml", 2)
    assert document.origin(("a", "c")) == Origin("file.yaml", 4)
    assert document.origin(("a", "c", 1)) == Origin("file.yaml", 5)
    assert document.origin(("a", "not there")) == Origin("file.yaml", 2)
    assert document.origin(("not there",)) == Origin("file.yaml", 1)
    assert str(document.origin(("a", "b"))) == "file.yaml:3"


def test_of_a_duplicate_key_the_first_value_is_read() -> None:
    document = yaml_reader.parse("a: 1\nb: {c: 1, d: 2, c: 3}\na: 4\n", "file.yaml")
    assert document.value == {"a": 1, "b": {"c": 1, "d": 2}}
    assert len(document.problems) == 2


def test_aliases_are_followed() -> None:
    assert yaml_reader.parse("a: &a [1]\nb: *a\n", "f").value == {"a": (1,), "b": (1,)}


def test_twenty_levels_are_read_and_no_more() -> None:
    value = yaml_reader.parse("[" * 20 + "]" * 20, "file.yaml").value
    for _ in range(19):
        (value,) = value
    assert value == ()
    assert problem("[" * 21 + "]" * 21) == "file.yaml:1: nested more than 20 levels deep"


def test_ten_thousand_values_are_read_and_no_more() -> None:
    assert len(yaml_reader.parse(f"[{'1,' * 9999}]", "file.yaml").value) == 9999
    assert "more than 10,000 values" in problem(f"[{'1,' * 10_000}]")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: 1\n? [b]\n: 2\n", "file.yaml:2: a key must be a word"),
        ("a: 1\nb: }\n", "file.yaml:2: not valid YAML: expected the node content, but found '}'"),
        ("a: 1\n\tb: 2\n", "file.yaml:2: not valid YAML: "),
        ("a: *b\n", "file.yaml:1: not valid YAML: found undefined alias 'b'"),
        ("a: 1\nb: [2,\n  3\nc: 4\n", "(in what begins on line 2)"),
        ('"\\uD800"', r"file.yaml:1: '\ud800' holds a control character; leave it out"),
        ('"\\UFFFFFFFF"', r"not valid YAML: an escape such as \UFFFFFFFF stands for no character"),
    ],
)
def test_what_is_not_yaml_is_reported_with_its_line(text: str, why: str) -> None:
    try:
        (found,) = map(str, yaml_reader.parse(text, "file.yaml").problems)
    except ConfigError as error:
        (found,) = error.problems
    assert why in found


def test_a_byte_order_mark_is_not_part_of_the_first_key() -> None:
    assert yaml_reader.parse("\ufeffa: 1\n", "file.yaml").value == {"a": 1}


def test_the_value_of_an_option_has_no_lines() -> None:
    assert yaml_reader.scalar("[1, 2e-3, on]", "--set a.b") == (1, 0.002, "on")
    with pytest.raises(ConfigError, match=r"^--set a\.b: not valid YAML"):
        yaml_reader.scalar("[1", "--set a.b")


@settings(max_examples=300, deadline=None)
@given(st.text("abc:-[]{},&*!|>'\"%@`#?~\\ \n\t0123456789.eE\0\x1b\ufeff\u2028<=", max_size=60))
@example('"\\UFFFFFFFF"')
@example("%YAML 1." + "9" * 5000 + "\n---\na")
@example("%TAG ! tag:x\n--- !y z")
@example("? &a ? *a")
def test_any_text_gives_a_document_or_a_config_error(text: str) -> None:
    problems = []
    try:
        yaml_reader.parse(text, "file.yaml")
    except ConfigError as error:
        problems = error.problems
    assert all(line.startswith("file.yaml:") for line in problems)


PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=30)
    | st.sampled_from(["1e-3", "on", "010", "~", "null", "1.", ".5", "<<", "=", "- a", "a: b"])
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from("abcde"), PLAIN | st.lists(PLAIN, max_size=3).map(tuple)))
def test_what_is_dumped_is_read_back(section: dict[str, object]) -> None:
    text = yaml_reader.dump({"section": {k: listed(v) for k, v in section.items()}})
    found = yaml_reader.parse(text, "file.yaml").value["section"]
    assert repr(found) == repr(section)  # by repr, which tells 1 from 1.0 and from True


def listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
