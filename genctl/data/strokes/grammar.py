"""A small grammar of captions: a class, and how thick, slanted, wide and large its strokes are.

"a thick seven leaning left", "7, slanted to the right", "the broad and bold two". Words have
synonyms, parts come in any order, and any of them may be left out.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from genctl.data.captions import words_of
from genctl.data.strokes.names import MEASURES, THIRDS

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
OF_ANY_CLASS = ("digit", "figure", "sign")

ADJECTIVES: dict[str, tuple[tuple[str, ...], ...]] = {
    "thickness": (("thin", "fine", "slender"), (), ("thick", "bold", "heavy")),
    "slant": (("left-leaning",), ("upright", "straight"), ("right-leaning",)),
    "width": (("narrow", "slim"), (), ("wide", "broad")),
    "size": (("small", "little"), (), ("large", "big")),
}
"""For each measure, the words for its lowest, middle and highest third. The middle of most measures
has no name: nothing is said about it."""

PHRASES: dict[str, tuple[tuple[str, ...], ...]] = {
    "thickness": (("with thin strokes", "thinly drawn"), (), ("with thick strokes",)),
    "slant": (
        ("leaning left", "leaning to the left", "that leans left", "slanted to the left",
         "tilted left"),
        ("standing upright", "that stands straight"),
        ("leaning right", "leaning to the right", "that leans right", "slanted to the right",
         "tilted right"),
    ),
    "width": (("that is narrow",), (), ("that is wide",)),
    "size": (("that is small",), (), ("that is large",)),
}  # fmt: skip
"""The same, after the noun."""

ARTICLES = ("a", "a", "the", "")
"""What a caption begins with. ``a`` becomes ``an`` before a vowel."""
SAY = 0.5  # the probability that a caption says a thing, where it can
SAY_CLASS = 0.85


class Named(NamedTuple):
    """A value of an attribute: 0 is the class, and the others are the measures in their order."""

    attribute: int
    value: int


def named_values() -> list[Named]:
    """The thirds that there are words for."""
    return [
        Named(number, third)
        for number, measure in enumerate(MEASURES, start=1)
        for third in range(THIRDS)
        if ADJECTIVES[measure][third]
    ]


def held_out_pairs(num_classes: int) -> frozenset[frozenset[Named]]:
    """A class with a third, for each class, and two pairs of thirds: no training caption has both.

    How well a model draws them shows whether it combines words, or knows whole captions.
    """
    thirds = named_values()
    pairs = [
        frozenset((Named(0, label), thirds[label % len(thirds)])) for label in range(num_classes)
    ]
    pairs.append(frozenset((Named(1, 0), Named(2, 2))))  # thin, leaning right
    pairs.append(frozenset((Named(2, 0), Named(3, 2))))  # leaning left, wide
    return frozenset(pairs)


def class_nouns(name: str) -> tuple[str, ...]:
    """What a class may be called."""
    if name.isdecimal() and int(name) < len(DIGITS):
        return DIGITS[int(name)], name
    return (" ".join(words_of(name)) or name,)


def all_words(classes: Sequence[str]) -> tuple[str, ...]:
    """Every word that captions of these classes may have."""
    texts = [*ARTICLES, "an", "and", *OF_ANY_CLASS]
    for table in (ADJECTIVES, PHRASES):
        texts += [text for thirds in table.values() for third in thirds for text in third]
    texts += [noun for name in classes for noun in class_nouns(name)]
    return tuple(dict.fromkeys(word for text in texts for word in words_of(text)))


def full_caption(
    values: Sequence[int],
    classes: Sequence[str],
    held_out: frozenset[frozenset[Named]] = frozenset(),
) -> tuple[str, list[bool]]:
    """All that can be said of an image, always in the same words.

    Args:
        values: the class, and the third of each measure.
        classes: the names of all classes.
        held_out: pairs of values that it does not say together.

    Returns:
        The caption, and which of the values it says.
    """
    said = [True, *(bool(ADJECTIVES[name][values[i]]) for i, name in enumerate(MEASURES, 1))]
    forget_held_out(said, values, held_out)
    before, after = [], []
    for number, measure in enumerate(MEASURES, start=1):
        if said[number] and measure == "slant":
            after.append(PHRASES[measure][values[number]][0])
        elif said[number]:
            before.append(ADJECTIVES[measure][values[number]][0])
    return _join("a", [*before, class_nouns(classes[values[0]])[0], *after]), said


def class_caption(label: int, classes: Sequence[str]) -> str:
    """The class alone."""
    return _join("a", [class_nouns(classes[label])[0]])


def random_caption(
    values: Sequence[int],
    classes: Sequence[str],
    rng: random.Random,
    held_out: frozenset[frozenset[Named]] = frozenset(),
) -> tuple[str, list[bool]]:
    """A caption that says some of the values, with words and order at random.

    Args:
        values: the class, and the third of each measure.
        classes: the names of all classes.
        rng: chooses.
        held_out: pairs of values that it does not say together.

    Returns:
        The caption, and which of the values it says.
    """
    said = [rng.random() < SAY_CLASS]
    said += [
        rng.random() < SAY and bool(ADJECTIVES[m][values[i]]) for i, m in enumerate(MEASURES, 1)
    ]
    forget_held_out(said, values, held_out, rng)
    before, after = [], []
    for number, measure in enumerate(MEASURES, start=1):
        if said[number]:
            third, at_random = values[number], rng.random()
            if at_random < 0.5:
                before.append(rng.choice(ADJECTIVES[measure][third]))
            else:
                after.append(rng.choice(PHRASES[measure][third]))
    rng.shuffle(before)
    rng.shuffle(after)
    if len(before) > 1 and rng.random() < 0.3:
        before.insert(len(before) - 1, "and")
    if len(after) > 1 and rng.random() < 0.5:
        after.insert(len(after) - 1, "and")
    noun = rng.choice(class_nouns(classes[values[0]]) if said[0] else OF_ANY_CLASS)
    return _join(rng.choice(ARTICLES), [*before, noun, *after]), said


def forget_held_out(
    said: list[bool],
    values: Sequence[int],
    held_out: frozenset[frozenset[Named]],
    rng: random.Random | None = None,
) -> None:
    """Leave out one of two values that are held out together: at random, or the later one."""
    for first, second in combinations(range(len(said)), 2):
        pair = frozenset((Named(first, values[first]), Named(second, values[second])))
        if said[first] and said[second] and pair in held_out:
            said[second if rng is None else rng.choice((first, second))] = False


def _join(article: str, parts: Sequence[str]) -> str:
    text = " ".join(parts)
    if article == "a" and text[0] in "aeiou8" and not text.startswith("one"):
        article = "an"
    return f"{article} {text}".strip()
