"""Numbers and names as people read them."""

from __future__ import annotations

from typing import Any

LOWER_IS_BETTER = frozenset({"overall", "fid", "kl", "copies", "thickness_error", "slant_error"})
SHARES = frozenset({"agreement", "copies", "cas", "linear_probe", "nearest_neighbours",
                    "thirds", "thickness_thirds", "slant_thirds", "width_thirds", "size_thirds",
                    "pairs", "held_out_pairs"})  # fmt: skip
"""Scores that are shown in per cent."""

NAMES = {"fid": "FID", "kl": "KL", "cas": "CAS"}


def score_name(name: str) -> str:
    """``FID`` for ``fid``, ``linear probe`` for ``linear_probe``."""
    return NAMES.get(name, name.replace("_", " "))


def score(name: str, value: float | None) -> str:
    """A score with the digits that matter."""
    if value is None:
        return "–"
    if name in SHARES:
        return f"{value:.1%}".replace("%", " %")
    return f"{value:#.3g}" if abs(value) < 100 else f"{value:,.0f}"


def number(value: Any) -> str:
    """``1,234``, ``0.0625``; a dash for None."""
    match value:
        case None:
            return "–"
        case bool():
            return str(value).lower()
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
        case list() | tuple():
            return "[" + ", ".join(map(number, value)) + "]"
    return str(value)


def seconds(value: float | None) -> str:
    """``61.2 s``, ``12 min 5 s``, ``3 h 20 min``."""
    if value is None:
        return "–"
    if value < 100:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left} min" if hours else f"{minutes} min {rest} s"


def amount(value: int, what: str) -> str:
    """``1 run``, ``1,200 runs``."""
    return f"{value:,} {what}{'' if value == 1 else 's'}"


def letters(index: int) -> str:
    """``A`` to ``Z``, then ``AA``: what a run is called in plots."""
    first, last = divmod(index, 26)
    return (letters(first - 1) if first else "") + chr(ord("A") + last)
