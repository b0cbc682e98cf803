"""How many of the combinations that there are does a model draw, and how evenly?

Metz et al. 2017, "Unrolled generative adversarial networks"; the divergence is that of the drawn
combinations from even ones, as in Lin et al. 2018, "PacGAN".
"""

from __future__ import annotations

from torch import Tensor

from genctl.data.base import Images
from genctl.evaluation.agreement import class_shares


def modes(seen: Tensor, images: Images) -> dict[str, float]:
    """The modes among the classes (N,) that the judge sees, and their KL divergence from even ones.

    Nothing for images that are no combinations of others.
    """
    if images.components is None:
        return {}
    shares = class_shares(seen, len(images.classes))
    found = shares[shares > 0]
    divergence = found @ (found * len(shares)).log()
    return {"modes": float(len(found)), "kl": float(divergence)}


def even_kl(classes: int, count: int) -> float:
    """What a perfect generator's divergence is in expectation, since ``count`` is finite."""
    return (classes - 1) / (2 * count)
