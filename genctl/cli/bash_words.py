"""Completion in bash, which takes ``label:7`` and ``objective.kind=vae`` for three words each.

The script that ``--show-completion`` prints passes these words on in ``COMP_WORDS``, and bash
replaces only the last of them: what is offered for ``objective.kind=v`` is ``vae``.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO

REQUEST = "_GENCTL_COMPLETE"
"""The variable by which the scripts of typer ask for completions."""

BREAK = re.compile(r"[=:]+")


@contextmanager
def joined_words() -> Iterator[None]:
    """Join the words that bash has split; from what is printed, remove what bash will not replace.

    Nothing happens in the block unless this process was started by bash to complete a word.
    """
    words = os.environ.get("COMP_WORDS", "").split("\n")
    cursor = os.environ.get("COMP_CWORD", "")
    if os.environ.get(REQUEST) != "complete_bash" or not cursor.isdecimal():
        yield
        return
    joined, position, kept = join(words, int(cursor))
    os.environ |= {"COMP_WORDS": "\n".join(joined), "COMP_CWORD": str(position)}
    printed = StringIO()
    try:
        with redirect_stdout(printed):
            yield
    finally:
        for line in printed.getvalue().splitlines():
            print(without(kept, line), file=sys.stdout)


def join(words: list[str], cursor: int) -> tuple[list[str], int, str]:
    """The words as they were typed, the position of the one at the cursor, and how it begins.

    Args:
        words: as bash has split them.
        cursor: the position of the one at the cursor.
    """
    joined: list[str] = []
    position, kept, after_break = 0, "", False
    for index, word in enumerate(words):
        is_break = BREAK.fullmatch(word) is not None
        if joined and word and (is_break or after_break):
            start, joined[-1] = joined[-1], joined[-1] + word
        else:
            start = ""
            joined.append(word)
        if index == cursor:  # at a break, bash completes the empty word after it
            position, kept = len(joined) - 1, start + word if is_break else start
        after_break = is_break
    return joined, position, kept


def without(kept: str, word: str) -> str:
    """``word`` without what stays in front of the cursor; typer offers no ``--set=`` itself."""
    return word.removeprefix(kept if not kept.startswith("-") else kept.partition("=")[2])
