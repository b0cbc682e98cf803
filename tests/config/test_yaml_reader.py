"""YAML as genctl reads it: few kinds of values, no surprises, no harm."""

import math
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from genctl.common.errors import ConfigError
from genctl.config import yaml_reader as yaml_source
from genctl.config.yaml_reader import Origin


def value(text: str) -> object:
    return yaml_source.parse(f"key: {text}\n", "file.yaml").value["key"]


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        yaml_source.parse(text, "file.yaml")
    (problem,) = raised.value.problems
    return problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-3", 0.001),
        ("1.0e3", 1000.0),
        ("1E3", 1000.0),
        ("-.5", -0.5),
        ("+7", 7),
        ("-0", 0),
        ("0", 0),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", float(2**63)),
        ("-" + "9" * 5000, -math.inf),
        ("-.inf", -math.inf),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("[1, [a], {b: 2}]", (1, ("a",), {"b": 2})),
        ("'1'", "1"),
    ],
)
def test_plain_values_are_those_of_the_core_schema(text: str, expected: object) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "text",
    ["on", "off", "yes", "No", "y", "tRUE", "010", "0x10", "0o7", "1_000", "1:30", "2024-01-01",
     "1e", "--1", "nan", "inf", "="],
)  # fmt: skip
def test_what_yaml_1_1_took_for_numbers_and_truth_values_is_a_word(text: str) -> None:
    assert value(text) == text


def test_each_value_knows_its_line() -> None:
    document = yaml_source.parse("# a comment\na:\n  b: 1\n  c: [2,\n    3]\n", "file.yaml")
    assert document.origin(("a",)) == Origin("file.yaml", 2)
    assert document.origin(("a", "c")) == Origin("file.yaml", 4)
    assert document.origin(("a", "c", 1)) == Origin("file.yaml", 5)
    assert document.origin(("a", "not there")) == Origin("file.yaml", 2)
    assert document.origin(("not there",)) == Origin("file.yaml", 1)
    assert str(document.origin(("a", "b"))) == "file.yaml:3"


def test_duplicate_keys_are_told_with_both_lines_wherever_they_are() -> None:
    text = "a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\na: 4\n"
    document = yaml_source.parse(text, "file.yaml")
    assert [str(problem) for problem in document.problems] == [
        "file.yaml:5: b.c: duplicate key, first on line 3",
        "file.yaml:6: a: duplicate key, first on line 1",
    ]
    assert document.value == {"a": 1, "b": {"c": 1, "d": 2}}


def test_a_key_that_is_no_word_is_told() -> None:
    document = yaml_source.parse("a: 1\n? [b]\n: 2\n", "file.yaml")
    assert [str(problem) for problem in document.problems] == ["file.yaml:2: a key must be a word"]


def test_a_merge_key_is_a_word_like_any_other() -> None:
    document = yaml_source.parse("a: &a {b: 1}\nc: {<<: *a}\n", "file.yaml")
    assert document.value["c"] == {"<<": {"b": 1}}


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system", "!foo", "!!int", "!!str", "!"])
def test_a_tag_is_refused_with_its_line(tag: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    why = refusal(f"a: 1\nb: {tag} ['touch {canary}']\n")
    assert why.startswith("file.yaml:2: the tag ")
    assert "is not allowed" in why
    assert not canary.exists()


def test_aliases_that_multiply_are_refused_before_they_do() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
    )
    assert len(bomb) < 600  # characters that stand for 9**9 values
    assert "aliases expand to more than 10,000 values" in refusal(bomb)


def test_ten_thousand_values_are_read_and_one_more_is_not() -> None:
    assert len(yaml_source.parse(f"[{'1,' * 9999}]", "file.yaml").value) == 9999
    assert "more than 10,000 values" in refusal(f"[{'1,' * 10_000}]")


def test_an_alias_of_what_contains_it_is_refused() -> None:
    assert refusal("a: 1\nb: &b\n  c: *b\n") == "file.yaml:2: an alias refers to what contains it"


def test_a_deep_chain_of_aliases_is_refused() -> None:
    # Duplicate keys are not read, so nothing is counted before the last one is.
    links = "".join(f"a: &a{n} [*a{n - 1}]\n" for n in range(1, 2000))
    assert "nested more than 20 levels deep" in refusal(f"a: &a0 []\n{links}b: *a1999\n")


@pytest.mark.parametrize(
    "text",
    ["[" * 5000, "{a: " * 5000, "- " * 5000 + "x", "? " * 5000,
     "".join(" " * depth + "a:\n" for depth in range(300))],
    ids=["flow list", "flow mapping", "block list", "block keys", "block mapping"],
)  # fmt: skip
def test_deep_nesting_is_refused_in_every_style(text: str) -> None:
    assert "nested more than 20 levels deep" in refusal(text)


def test_twenty_levels_are_read() -> None:
    assert yaml_source.parse("[" * 20 + "]" * 20, "file.yaml").value == nested(20)


def nested(depth: int) -> tuple[object, ...]:
    return () if depth == 1 else (nested(depth - 1),)


def test_a_long_text_is_refused_unread() -> None:
    assert refusal("[" * 70_000) == "file.yaml: holds more than 65,536 characters; no config does"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: 1\nb: \0\n", r"file.yaml:2: holds the character \x00; not a text file"),
        ('a: 1\nb: "\\0"\n', r"file.yaml:2: '\x00' holds a control character; leave it out"),
        ('"\\e[31m": 1', r"file.yaml:1: '\x1b[31m' holds a control character; leave it out"),
        ('"\\uD800"', r"file.yaml:1: '\ud800' holds a control character; leave it out"),
        ('"\\UFFFFFFFF"', r"not valid YAML: an escape such as \UFFFFFFFF stands for no character"),
        ("a: 1\nb: }\n", "file.yaml:2: not valid YAML: expected the node content, but found '}'"),
        ("a: 1\n\tb: 2\n", "file.yaml:2: not valid YAML: "),
        ("a: 1\n---\nb: 2\n", "file.yaml:2: not valid YAML: "),
        ("a: *b\n", "file.yaml:1: not valid YAML: found undefined alias 'b'"),
    ],
)
def test_what_is_no_yaml_is_told_by_line(text: str, why: str) -> None:
    assert why in refusal(text)


def test_an_unclosed_bracket_is_told_with_the_line_it_stands_on() -> None:
    assert refusal("a: 1\nb: [2,\n  3\nc: 4\n").endswith("(in what begins on line 2)")


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert yaml_source.parse("\ufeffa: 1\n", "file.yaml").value == {"a": 1}


def test_what_follows_an_option_has_no_lines() -> None:
    assert yaml_source.scalar("[1, 2e-3, on]", "--set a.b") == (1, 0.002, "on")
    with pytest.raises(ConfigError, match=r"^--set a\.b: not valid YAML"):
        yaml_source.scalar("[1", "--set a.b")
    with pytest.raises(ConfigError, match=r"^--set a\.b: c: duplicate key, given twice$"):
        yaml_source.scalar("{c: 1, c: 2}", "--set a.b")


@settings(max_examples=300, deadline=None)
@given(st.text("abc:-[]{},&*!|>'\"%@`#?~\\ \n\t0123456789.eE\0\x1b\ufeff\u2028<=", max_size=60))
@example('"\\UFFFFFFFF"')
@example("%YAML 1." + "9" * 5000 + "\n---\na")
@example("%TAG ! tag:x\n--- !y z")
@example("? &a ? *a")
def test_any_text_gives_a_document_or_a_config_error(text: str) -> None:
    problems = []
    try:
        yaml_source.parse(text, "file.yaml")
    except ConfigError as error:
        problems = error.problems
    assert all(problem.startswith("file.yaml:") for problem in problems)


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
    text = yaml_source.dump({"section": {k: listed(v) for k, v in section.items()}})
    found = yaml_source.parse(text, "file.yaml").value["section"]
    assert repr(found) == repr(section)  # by repr, which tells 1 from 1.0 and from True


def listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
