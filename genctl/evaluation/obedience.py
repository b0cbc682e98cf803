"""How well drawings obey captions about strokes: the drawings are measured as the pictures were."""

from __future__ import annotations

import torch
from torch import Tensor

from genctl.conditions.text_captions import edges_of
from genctl.data.base import Images
from genctl.data.captions import FULL
from genctl.data.strokes.captions import thirds
from genctl.data.strokes.grammar import Named, held_out_pairs
from genctl.data.strokes.measures import measure
from genctl.data.strokes.names import MEASURES

Scores = dict[str, float]

ERRORS = {"thickness": "pixels", "slant": "degrees"}
"""The measures whose mean error is a score, with its unit."""


class Obedience:
    """Compares drawings with the captions that they were drawn for.

    Args:
        train_images: their measures say where thirds begin.
        test_images: with captions as tensors; drawings are for the fullest caption of each.
    """

    def __init__(self, train_images: Images, test_images: Images) -> None:
        assert test_images.tokens is not None
        self.edges = edges_of(train_images)  # (2, measures)
        self.captions = test_images.tokens.to("cpu")
        self.labels = test_images.labels.cpu()
        self.held_out = [tuple(sorted(pair)) for pair in held_out_pairs(len(test_images.classes))]

    def score(self, pixels: Tensor, index: Tensor, predicted: Tensor) -> Scores:
        """Score drawings (N, C, H, W) uint8 for the captions of the images at ``index`` (N,).

        Args:
            pixels: the drawings.
            index: whose captions they were drawn for.
            predicted: the judge's class (N,) of each drawing.

        Returns:
            thirds: the share of named thirds into which the drawing falls; thirds_of each measure;
            error of thickness (pixels) and slant (degrees), the mean distance to the named third,
            0 inside; pairs: the share of captions with a class and a third in which both are right;
            held_out_pairs: the same of pairs that were never together in a training caption.
        """
        measures = measure(pixels)
        return self._score(measures, thirds(measures, self.edges), index, predicted)

    def chance(self, index: Tensor) -> Scores:
        """The scores of drawings of the right class that ignore the rest: other real images."""
        order = torch.randperm(len(index), generator=torch.Generator().manual_seed(0))
        by_class = order[self.labels[index[order]].argsort(stable=True)]
        shifted = torch.cat([by_class[1:], by_class[:1]])
        other = torch.empty_like(index)
        other[by_class] = index[shifted]
        values = self.captions.values[other]
        scores = self._shares(values[:, 1:], index, values[:, 0])
        return {
            name: scores[name] for name in ("thirds", "pairs", "held_out_pairs") if name in scores
        }

    def _score(self, measures: Tensor, found: Tensor, index: Tensor, predicted: Tensor) -> Scores:
        scores = self._shares(found, index, predicted)
        caption = self.captions.at(index, FULL)
        named, said = caption.values[:, 1:], caption.says[:, 1:]
        infinite = torch.full((1, len(MEASURES)), torch.inf)
        bounds = torch.cat([-infinite, self.edges, infinite])  # (4, measures)
        low, high = bounds.gather(0, named), bounds.gather(0, named + 1)
        distance = (low - measures).clamp(min=0) + (measures - high).clamp(min=0)
        for number, name in enumerate(MEASURES):
            if name in ERRORS:
                scores[f"{name}_error"] = _mean(distance[:, number], said[:, number])
        return scores

    def _shares(self, found: Tensor, index: Tensor, predicted: Tensor) -> Scores:
        """What shares of thirds and pairs are right, given the thirds (N, measures) of drawings."""
        caption = self.captions.at(index, FULL)
        right = torch.cat(
            [predicted[:, None] == caption.values[:, :1], found == caption.values[:, 1:]], 1
        )
        said = caption.says
        scores = {"thirds": _mean(right[:, 1:], said[:, 1:])}
        for number, name in enumerate(MEASURES, start=1):
            scores[f"{name}_thirds"] = _mean(right[:, number], said[:, number])
        held_out = torch.zeros_like(
            said
        )  # thirds that are held out with the class of their caption
        both = []
        for first, second in self.held_out:
            has = _says(caption.values, said, first) & _says(caption.values, said, second)
            both.append((right[:, first.attribute] & right[:, second.attribute])[has])
            if first.attribute == 0:
                held_out[has, second.attribute] = True
        pairs = right[:, :1] & right[:, 1:]
        scores["pairs"] = _mean(pairs, said[:, 1:] & ~held_out[:, 1:])
        scores["held_out_pairs"] = float(torch.cat(both).double().mean())
        return {name: value for name, value in scores.items() if value == value}  # not NaN


def _says(values: Tensor, said: Tensor, named: Named) -> Tensor:
    """Which captions (N,) say a value."""
    return said[:, named.attribute] & (values[:, named.attribute] == named.value)


def _mean(values: Tensor, chosen: Tensor) -> float:
    """The mean of the chosen values; NaN if there are none."""
    return float(values[chosen].double().mean())
