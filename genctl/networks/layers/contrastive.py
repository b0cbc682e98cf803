"""Instance discrimination: which image of a batch is another view of this one?

Wu et al. 2018, with the loss of Chen et al. 2020 (SimCLR): a cross-entropy that needs no labels.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

TEMPERATURE = 0.1


def similarity(first: Tensor, second: Tensor) -> Tensor:
    """The cosines (B, B) between embeddings (B, d), divided by the temperature."""
    return normalize(first) @ normalize(second).T / TEMPERATURE


def instance_cross_entropy(first: Tensor, second: Tensor) -> Tensor:
    """The loss of embeddings (B, d) of two views of the same B images."""
    logits = similarity(first.float(), second.float())
    own = torch.arange(len(logits), device=logits.device)
    return (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2
