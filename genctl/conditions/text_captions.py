"""From a data set with captions, or with strokes to describe, to captions as tensors."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from genctl.common.errors import ConfigError
from genctl.data.base import Data, Images
from genctl.data.strokes.cache import cached_measures
from genctl.data.strokes.captions import stroke_captions, third_edges, thirds
from genctl.data.strokes.grammar import Named, all_words, held_out_pairs

MAX_CAPTION = 1000  # words; a longer one is a text, not a caption


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
    raise ConfigError(
        [
            "condition.kind: text needs pictures with captions; set data.captions=strokes for "
            "digits or letters"
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


def _require_room(words: int, vocabulary_size: int) -> None:
    if words > vocabulary_size:
        raise ConfigError(
            [
                f"condition.vocabulary_size: the captions have {words:,} different words; set it "
                f"to {words:,} or more"
            ]
        )
