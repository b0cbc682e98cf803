"""From a data set with captions, or with strokes to describe, to captions as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from genctl.common.errors import BadContent, ConfigError
from genctl.data.base import Data, Images
from genctl.data.captions import Captions, numbers_of, tokenize, vocabulary_of, words_of
from genctl.data.strokes.cache import cached_measures
from genctl.data.strokes.captions import stroke_captions, third_edges, thirds
from genctl.data.strokes.grammar import Named, all_words, held_out_pairs

SHOWN = 60  # characters of a caption in messages
MAX_CAPTION = 512  # words; a longer one is a text, not a caption


def with_captions(
    data: Data, train: Images, test: Images, vocabulary_size: int, max_words: int
) -> tuple[Images, Images]:
    """The images with their captions as tensors.

    Raises:
        ConfigError: there are none, or there are more or longer ones than settings allow.
        BadContent: one is a whole text.
    """
    if data.caption_attributes:
        if not train.classes:
            raise ConfigError(["data.captions: strokes needs data with classes"])
        _require_room(len(all_words(train.classes)), vocabulary_size)
        edges = edges_of(train)
        held_out = held_out_pairs(len(train.classes))
        return (
            _describe(train, edges, max_words, held_out),
            _describe(test, edges, max_words, frozenset()),
        )
    if train.captions:
        vocabulary = vocabulary_of(train.captions)
        _require_room(len(vocabulary), vocabulary_size)
        return (
            _tokenized(train, vocabulary, max_words),
            _tokenized(test, vocabulary, max_words),
        )
    raise ConfigError(
        [
            "condition.kind: text needs pictures with captions; set data.captions=strokes for "
            "digits, or write captions into metadata.jsonl in the folder of the pictures"
        ]
    )


def edges_of(train: Images) -> Tensor:
    """The two values (2, measures) of each measure that divide training images in thirds."""
    return third_edges(cached_measures(train))


def _describe(
    images: Images, edges: Tensor, max_words: int, held_out: frozenset[frozenset[Named]]
) -> Images:
    found = thirds(cached_measures(images), edges)
    return replace(images, tokens=stroke_captions(images, found, max_words, held_out))


def _tokenized(images: Images, vocabulary: Sequence[str], max_words: int) -> Images:
    """Images with their texts as captions; images with the same text and class share them."""
    with_classes = list(zip(images.captions, images.labels.tolist(), strict=True))
    group = {each: number for number, each in enumerate(dict.fromkeys(with_classes))}
    numbers = numbers_of(vocabulary)
    tokens, says = [], []
    for text, label in group:
        words = words_of(text)
        _require_short(text, words, max_words)
        tokens.append([tokenize(words, numbers, max_words)])
        named = {*words_of(images.classes[label])} <= {*words} if images.classes else False
        says.append([[named] if images.classes else []])
    captions = Captions(
        tuple(vocabulary),
        torch.tensor(tokens),
        torch.ones(len(group), dtype=torch.int64),
        torch.tensor(says, dtype=torch.bool),
        torch.tensor([group[each] for each in with_classes]),
        images.labels.cpu()[:, None] if images.classes else torch.empty(len(images), 0).long(),
        (len(images.classes),) if images.classes else (),
    )
    return replace(images, tokens=captions)


def _require_short(text: str, words: Sequence[str], max_words: int) -> None:
    """Refuse a caption that has no words, or more than there is room for."""
    start = repr(text[:SHOWN] + ("…" if len(text) > SHOWN else ""))
    if not words:
        raise BadContent(f"cannot use the caption {start}: it has no words; write some")
    if len(words) > MAX_CAPTION:
        raise BadContent(
            f"cannot use the caption {start}: it has {len(words):,} words, and a caption has at "
            f"most {MAX_CAPTION:,}; shorten it"
        )
    if len(words) > max_words:
        raise ConfigError(
            [
                f"condition.max_words: the caption {start} has {len(words):,} words; set it to "
                f"{len(words):,} or more"
            ]
        )


def _require_room(words: int, vocabulary_size: int) -> None:
    if words > vocabulary_size:
        raise ConfigError(
            [
                f"condition.vocabulary_size: the captions have {words:,} different words; set it "
                f"to {words:,} or more"
            ]
        )
