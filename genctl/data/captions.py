"""Captions as tensors: the words of each picture, and what they say about it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

WORD = re.compile(r"\w+(?:['’]\w+)*")

FULL, CLASS_ALONE = 0, 1
"""The places of two captions of a group: all that can be said, and the class alone."""


def words_of(text: str) -> list[str]:
    """The words of a caption, in small letters and without punctuation."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


@dataclass(frozen=True)
class Captions:
    """The captions of all images of a split. Images with the same captions share a group.

    A word is its number in the vocabulary, counted from 1; 0 fills the places after the last word.
    What captions say are values of attributes: the class, and a third of each measure.
    """

    vocabulary: tuple[str, ...]
    tokens: Tensor  # (groups, K, max_words) int64
    counts: Tensor  # (groups,) int64: how many of the K captions there are, at least 1
    says: Tensor  # (groups, K, attributes) bool: which attributes a caption names
    group: Tensor  # (N,) int64: of each image
    values: Tensor  # (N, attributes) int64
    sizes: tuple[int, ...]  # how many values each attribute has

    def to(self, device: torch.device | str) -> Captions:
        """The same captions on another device."""
        moved = {
            name: getattr(self, name).to(device)
            for name in ("tokens", "counts", "says", "group", "values")
        }
        return replace(self, **moved)

    def choose(self, index: Tensor, share: Tensor) -> CaptionBatch:
        """One caption for each image at ``index`` (B,).

        Args:
            index: indices of images.
            share: random numbers (B,) in [0, 1) that choose among the captions of an image.
        """
        group = self.group[index]
        return self._batch(index, (share * self.counts[group]).long())

    def at(self, index: Tensor, place: int) -> CaptionBatch:
        """The caption at ``place`` of each image at ``index`` (B,), or its last one."""
        group = self.group[index]
        return self._batch(index, (self.counts[group] - 1).clamp(max=place))

    def _batch(self, index: Tensor, place: Tensor) -> CaptionBatch:
        group = self.group[index]
        return CaptionBatch(
            self.tokens[group, place], self.values[index], self.says[group, place], self.sizes
        )


@dataclass(frozen=True)
class CaptionBatch:
    """One caption for each image of a batch."""

    tokens: Tensor  # (B, max_words) int64
    values: Tensor  # (B, attributes) int64: of the image
    says: Tensor  # (B, attributes) bool: which of them the caption names
    sizes: tuple[int, ...]


def vocabulary_of(texts: Iterable[str]) -> tuple[str, ...]:
    """All words, the most frequent ones first."""
    counts = Counter(word for text in texts for word in words_of(text))
    return tuple(sorted(counts, key=lambda word: (-counts[word], word)))


def tokenize(words: Sequence[str], numbers: dict[str, int], max_words: int) -> list[int]:
    """Up to ``max_words`` numbers of those words that have one, filled up with 0."""
    known = [numbers[word] for word in words if word in numbers][:max_words]
    return known + [0] * (max_words - len(known))


def numbers_of(vocabulary: Sequence[str]) -> dict[str, int]:
    """The number of each word, from 1."""
    return {word: number for number, word in enumerate(vocabulary, start=1)}


def text_of(tokens: Sequence[int], vocabulary: Sequence[str]) -> str:
    """The words that numbers stand for."""
    return " ".join(vocabulary[number - 1] for number in tokens if number)
