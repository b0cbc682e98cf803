"""Classifying several attributes of an image at once, of which a caption may say some."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import cross_entropy


def attribute_cross_entropy(
    logits: Tensor, values: Tensor, sizes: Sequence[int], said: Tensor | None = None
) -> Tensor:
    """The cross-entropy () of each attribute, summed.

    Args:
        logits: (B, sum of sizes), attribute by attribute.
        values: (B, attributes) int64.
        sizes: how many values each attribute has; at least one attribute.
        said: (B, attributes) bool: counts an attribute only for the images where it is true.
    """
    losses = []
    for number, part in enumerate(logits.split(tuple(sizes), dim=1)):
        if said is None:
            losses.append(cross_entropy(part, values[:, number]))
        else:
            each = cross_entropy(part, values[:, number], reduction="none") * said[:, number]
            losses.append(each.sum() / said[:, number].sum().clamp(min=1))
    return sum(losses[1:], losses[0])
