"""``key=1,2,3`` and ``key=1e-4..1e-2`` on a command line: what a sweep tries for one setting."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from genctl.common.errors import UsageError
from genctl.config.config import Config
from genctl.config.keys import is_integer

LOG_RATIO = 10
"""A range between positive numbers this far apart is searched on a logarithmic scale."""

RANGE = re.compile(r"(?P<low>.+?)\.\.(?P<high>.+?)(:(?P<scale>log|linear))?")
OPENING, CLOSING, QUOTES = "[{(", "]})", "\"'"


@dataclass(frozen=True)
class Axis:
    """A setting and the values to try, as YAML writes them."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Range:
    """A setting and the numbers between which to search."""

    key: str
    low: float
    high: float
    is_integer: bool = False
    is_log: bool = False

    @property
    def ends(self) -> Axis:
        """The smallest and the largest value."""
        return Axis(self.key, (self.text(self.low), self.text(self.high)))

    def text(self, value: float) -> str:
        """A value as YAML writes it."""
        return str(int(value)) if self.is_integer else repr(float(value))


def parse_axes(options: Sequence[str]) -> list[Axis]:
    """The axes of ``--set`` options.

    Raises:
        UsageError: an option has no value or an empty one, or two options have the same key.
    """
    axes = [_axis(option, f"--set {option}") for option in options]
    _require_different([axis.key for axis in axes], "--set")
    return axes


def parse_searches(options: Sequence[str]) -> list[Axis | Range]:
    """What ``--search`` options ask for: a range of numbers, or a choice between values.

    Raises:
        UsageError: an option is neither, or two options have the same key.
    """
    found: list[Axis | Range] = [_search(option, f"--search {option}") for option in options]
    _require_different([one.key for one in found], "--search")
    return found


def split_values(text: str) -> list[str]:
    """The parts between commas that are outside of brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in QUOTES:
            quote = letter
        elif letter in OPENING:
            depth += 1
        elif letter in CLOSING:
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append("")
            continue
        parts[-1] += letter
    return [part.strip() for part in parts]


def _axis(option: str, origin: str) -> Axis:
    key, equals, text = option.partition("=")
    values = split_values(text)
    if not equals or not key.strip():
        raise UsageError(f"{origin}: must look like section.key=value, as in training.seed=1")
    if len(values) > 1 and not all(values):
        raise UsageError(f"{origin}: a value is missing beside a comma; remove the comma")
    repeated = [value for value, count in Counter(values).items() if count > 1]
    if repeated:
        raise UsageError(f"{origin}: {repeated[0]} comes twice; name each value once")
    return Axis(key.strip(), tuple(values))


def _search(option: str, origin: str) -> Axis | Range:
    key, _, text = option.partition("=")
    found = RANGE.fullmatch(text.strip())
    if not found or len(split_values(text)) > 1:
        axis = _axis(option, origin)
        if len(axis.values) < 2:
            raise UsageError(
                f"{origin}: must be a range, as optimizer.learning_rate=1e-4..1e-2, or several "
                "values, as objective.kind=hinge,r3gan"
            )
        return axis
    try:
        low, high = float(found["low"]), float(found["high"])
    except ValueError:
        raise UsageError(f"{origin}: the ends of a range must be numbers, as 1e-4..1e-2") from None
    if not float("-inf") < low < high < float("inf"):
        raise UsageError(f"{origin}: the first end must be below the second; exchange them")
    integer = is_integer(key.strip(), Config)
    if integer and not (low.is_integer() and high.is_integer()):
        raise UsageError(f"{origin}: this setting is an integer; give integers as ends")
    is_log = found["scale"] == "log" or (not found["scale"] and low > 0 and high / low >= LOG_RATIO)
    if is_log and low <= 0:
        raise UsageError(f"{origin}: a logarithmic range must begin above 0; raise its first end")
    return Range(key.strip(), low, high, integer, is_log)


def _require_different(keys: list[str], option: str) -> None:
    repeated = [key for key, count in Counter(keys).items() if count > 1]
    if repeated:
        raise UsageError(f"{option} {repeated[0]}: given twice; give all its values in one option")
