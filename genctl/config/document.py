"""Plain values that know where they were written: in a line of a file, or in an option."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

KeyPath = tuple[str | int, ...]
"""The keys and list indices that lead to a value."""


class Origin(NamedTuple):
    """Where something was written: a line of a file, or an option, which has no lines."""

    source: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


class Problem(NamedTuple):
    """Something to correct, and where."""

    origin: Origin
    text: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.text}"


@dataclass(frozen=True)
class Document:
    """Plain values, where each was written, and the problems found while reading them."""

    value: Any
    origins: dict[KeyPath, Origin]
    problems: list[Problem] = field(default_factory=list)

    def origin(self, path: KeyPath) -> Origin:
        """Where ``path``, or the closest section around it, was written."""
        while path not in self.origins:
            path = path[:-1]
        return self.origins[path]
