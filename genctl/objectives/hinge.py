"""The hinge game: Lim and Ye 2017; Miyato et al. 2018.

It wants a critic that cannot grow steep: `networks: {critic_normalization: spectral}`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genctl.objectives.base import Adversarial, Score, Terms

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.training.batches import Batch


class Hinge(Adversarial):
    """Scores count until they are on their side of a margin."""

    kind: Literal["hinge"] = "hinge"

    def critic_terms(self, score: Score, real: Tensor, fake: Tensor, batch: Batch) -> Terms:
        """max(0, 1 - D(x)) + max(0, 1 + D(G(z)))."""
        real_scores, fake_scores = score.each(real, fake)
        return {"real": (1 - real_scores).relu().mean(), "fake": (1 + fake_scores).relu().mean()}

    def generator_terms(self, score: Score, real: Tensor, fake: Tensor, batch: Batch) -> Terms:
        """-D(G(z))."""
        return {"fake": -score(fake).mean()}
