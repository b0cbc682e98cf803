"""Text in Markdown: escaped unless it says that it is Markdown already."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

SPECIAL = re.compile(r"([\\`*_\[\]#|<>~&$])")
"""What begins formatting, a link, a table cell, HTML or a formula within a line."""


class Markdown(str):
    """Text that is Markdown, which is not escaped again."""

    __slots__ = ()


def escape(value: Any) -> str:
    """A value as text on one line that Markdown shows as it is."""
    if isinstance(value, Markdown):
        return value
    return SPECIAL.sub(r"\\\1", " ".join(str(value).split()))


def code(value: Any) -> Markdown:
    """A value as code on one line, also in a table."""
    text = " ".join(str(value).split()).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if text.startswith("`") or text.endswith("`") or not text else ""
    return Markdown(f"{fence}{space}{text}{space}{fence}")


def command(words: Sequence[str]) -> Markdown:
    """A command line for a block of code, quoted for a shell."""
    # In $'…' a shell reads the escapes of control characters, which would end the block.
    quoted = [
        "$'" + repr(word)[1:-1].replace("'", r"\'") + "'"
        if not word.isprintable()
        else shlex.quote(word)
        for word in words
    ]
    return Markdown(" ".join(quoted))


def link(path: str) -> Markdown:
    """A relative path as the target of a link."""
    return Markdown(quote(path, errors="replace"))
