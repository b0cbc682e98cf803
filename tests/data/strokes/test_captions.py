"""Captions say what was measured, in words that vary, and keep pairs apart."""

import random
from itertools import product
from pathlib import Path

import pytest
import torch

from genctl.data.captions import CLASS_ALONE, FULL, text_of, words_of
from genctl.data.strokes import cache
from genctl.data.strokes.captions import stroke_captions, third_edges, thirds
from genctl.data.strokes.grammar import (
    Named,
    all_words,
    class_nouns,
    full_caption,
    held_out_pairs,
    random_caption,
)
from tests.support.tiny import images

DIGITS = tuple("0123456789")
NOUNS = {noun: label for label, name in enumerate(DIGITS) for noun in class_nouns(name)}
WORDS = {
    "thin": (1, 0), "fine": (1, 0), "slender": (1, 0), "thinly": (1, 0),
    "thick": (1, 2), "bold": (1, 2), "heavy": (1, 2),
    "left": (2, 0), "upright": (2, 1), "straight": (2, 1), "right": (2, 2),
    "narrow": (3, 0), "slim": (3, 0), "wide": (3, 2), "broad": (3, 2),
    "small": (4, 0), "little": (4, 0), "large": (4, 2), "big": (4, 2),
}  # fmt: skip
"""What words mean, written down a second time."""


def meaning(text: str) -> set[tuple[int, int]]:
    words = words_of(text)
    return {(0, NOUNS[w]) for w in words if w in NOUNS} | {WORDS[w] for w in words if w in WORDS}


@pytest.mark.parametrize(("values", "text"), [
    ((7, 2, 0, 1, 1), "a thick seven leaning left"),
    ((8, 1, 1, 1, 1), "an eight standing upright"),
    ((0, 0, 2, 0, 0), "a thin narrow small zero leaning right"),
])  # fmt: skip
def test_the_full_caption_says_all_that_has_a_name(values: tuple[int, ...], text: str) -> None:
    found, said = full_caption(values, DIGITS)
    assert found == text
    assert {(i, v) for i, v in enumerate(values) if said[i]} == meaning(text)


def test_random_captions_say_what_they_claim_to_say_and_nothing_else() -> None:
    rng = random.Random(0)
    seen = set()
    for values in product(range(10), range(3), range(3), range(3), range(3)):
        text, said = random_caption(values, DIGITS, rng)
        assert meaning(text) == {(i, v) for i, v in enumerate(values) if said[i]}, text
        seen |= set(words_of(text))
    assert seen == set(all_words(DIGITS))  # every word is used, and no other


def test_parts_come_in_any_order_and_may_be_left_out() -> None:
    rng = random.Random(0)
    texts = {random_caption((7, 2, 0, 1, 1), DIGITS, rng)[0] for _ in range(500)}
    assert {"a thick seven leaning left", "a left-leaning bold 7"} <= texts
    assert {"a seven", "a thick seven", "a seven leaning left", "a thick digit"} <= texts
    assert len(texts) > 100


def test_no_training_caption_says_a_pair_that_is_held_out() -> None:
    rng, pairs = random.Random(0), held_out_pairs(10)
    assert len(pairs) == 12
    assert frozenset({Named(0, 7), Named(4, 0)}) in pairs  # a small seven
    for values in product(range(10), range(3), range(3), range(3), range(3)):
        for text, said in (
            full_caption(values, DIGITS, pairs),
            random_caption(values, DIGITS, rng, pairs),
        ):
            assert not any({tuple(named) for named in pair} <= meaning(text) for pair in pairs)
            assert meaning(text) == {(i, v) for i, v in enumerate(values) if said[i]}


def test_thirds_are_equally_large() -> None:
    values = torch.rand(3000, 2, generator=torch.Generator().manual_seed(0))
    found = thirds(values, third_edges(values))
    assert found.T.sort().values[:, [0, 999, 1000, 1999, 2000, 2999]].tolist() == 2 * [
        [0, 0, 1, 1, 2, 2]
    ]
    assert (values[found == 0].max() < values[found == 2].min()).item()


def test_tokens_spell_the_captions_of_each_image_and_repeat() -> None:
    data = images(20, classes=10)
    values = torch.randint(3, (20, 4), generator=torch.Generator().manual_seed(1))
    captions = stroke_captions(data, values, 16, frozenset())
    again = stroke_captions(data, values, 16, frozenset())
    assert torch.equal(captions.tokens, again.tokens)
    assert captions.sizes == (10, 3, 3, 3, 3)
    index = torch.arange(20)
    full, alone = captions.at(index, FULL), captions.at(index, CLASS_ALONE)
    for i in range(20):
        own = (i % 10, *values[i].tolist())
        assert full.values[i].tolist() == list(own)
        assert text_of(full.tokens[i].tolist(), captions.vocabulary) == full_caption(own, DIGITS)[0]
        assert meaning(text_of(alone.tokens[i].tolist(), captions.vocabulary)) == {(0, i % 10)}
        assert alone.says[i].tolist() == [True, False, False, False, False]


def test_every_caption_of_an_image_is_chosen_by_some_share() -> None:
    data = images(3, classes=3)
    captions = stroke_captions(data, torch.ones(3, 4).long(), 16, frozenset())
    count = int(captions.counts[0])
    share = (torch.arange(count) + 0.5) / count
    chosen = captions.choose(torch.zeros(count).long(), share)
    assert torch.equal(chosen.tokens, captions.tokens[captions.group[0]])


def test_measures_are_kept_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENCTL_CACHE", str(tmp_path))
    monkeypatch.setattr(cache, "MIN_CACHED", 1)
    first = cache.cached_measures(images())
    (path,) = (tmp_path / "strokes").iterdir()
    monkeypatch.setattr(cache, "measure", None)  # not called again
    assert torch.equal(cache.cached_measures(images()), first)
    monkeypatch.undo()
    monkeypatch.setenv("GENCTL_CACHE", str(tmp_path))
    monkeypatch.setattr(cache, "MIN_CACHED", 1)
    path.write_bytes(b"damaged")  # measured again
    assert torch.equal(cache.cached_measures(images()), first)
