"""Captions of pictures of strokes, from the grammar and the measures of each picture."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from genctl.common.rng import derive_seed
from genctl.data.captions import Captions, numbers_of, tokenize, words_of
from genctl.data.strokes import grammar
from genctl.data.strokes.names import MEASURES, THIRDS

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.data.base import Images

PER_GROUP = 48
"""Captions of all images with the same class and thirds: the full one, the class alone, others."""


def third_edges(measures: Tensor) -> Tensor:
    """The two values (2, measures) that divide each column of measures (N, measures) in thirds."""
    import torch

    return torch.quantile(measures, torch.tensor([1 / 3, 2 / 3]), dim=0)


def thirds(measures: Tensor, edges: Tensor) -> Tensor:
    """The third (N, measures) int64, 0 to 2, of each measure (N, measures)."""
    return (measures[:, None, :] >= edges).sum(dim=1)


def stroke_captions(
    images: Images, values: Tensor, max_words: int, held_out: frozenset[frozenset[grammar.Named]]
) -> Captions:
    """The captions of images of classes, with the same random words every time.

    Args:
        images: with classes.
        values: the thirds (N, measures).
        max_words: places for words; more are cut off.
        held_out: pairs of values that no caption says together.
    """
    import torch

    vocabulary = grammar.all_words(images.classes)
    values = torch.cat([images.labels.cpu()[:, None], values], dim=1)
    combinations, group = values.unique(dim=0, return_inverse=True)
    numbers = numbers_of(vocabulary)
    tokens, says = [], []
    for combination in combinations.tolist():
        captions = _captions(combination, images.classes, held_out)
        tokens.append([tokenize(words_of(text), numbers, max_words) for text, _ in captions])
        says.append([said for _, said in captions])
    return Captions(
        vocabulary,
        torch.tensor(tokens),
        torch.full((len(combinations),), PER_GROUP),
        torch.tensor(says),
        group,
        values,
        (len(images.classes), *(THIRDS for _ in MEASURES)),
    )


def _captions(
    values: Sequence[int], classes: Sequence[str], held_out: frozenset[frozenset[grammar.Named]]
) -> list[tuple[str, list[bool]]]:
    """All captions of one combination of values; the first two as ``data.captions`` names them."""
    rng = random.Random(derive_seed(0, "captions", *values))
    alone = grammar.class_caption(values[0], classes), [True] + [False] * len(MEASURES)
    captions = [grammar.full_caption(values, classes, held_out), alone]
    while len(captions) < PER_GROUP:
        captions.append(grammar.random_caption(values, classes, rng, held_out))
    return captions
