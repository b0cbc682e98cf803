"""What was probably meant by a word that does not exist."""

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The word of ``known`` that is most like ``word``; empty where none is similar enough.

    Args:
        word: the word.
        known: the words that exist.
        cutoff: the least similarity, from 0 to 1 for the same word.
    """
    return next(iter(nearest_words(word, known, 1, cutoff)), "")


def nearest_words(
    word: str, known: Iterable[str], count: int = 3, cutoff: float = 0.6
) -> list[str]:
    """Up to ``count`` words of ``known`` that are like ``word``, the most similar first."""
    from difflib import get_close_matches

    return get_close_matches(word, list(known), n=count, cutoff=cutoff)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question to append to an error message; empty where no word is similar enough."""
    near = nearest(word, known)
    return f"; did you mean {near!r}?" if near else ""
