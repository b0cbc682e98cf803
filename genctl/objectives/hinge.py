"""The hinge loss: Lim and Ye 2017; Miyato et al. 2018.

It needs a critic with bounded gradients: `networks: {critic_normalization: spectral}`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genctl.objectives.adversarial import Adversarial, ConditionedCritic, CriticOutput
from genctl.objectives.base import Terms

if TYPE_CHECKING:
    from torch import Tensor


class Hinge(Adversarial):
    """Scores are penalized until they are on their side of a margin."""

    kind: Literal["hinge"] = "hinge"

    def critic_terms(self, real: CriticOutput, fake: CriticOutput) -> Terms:
        """max(0, 1 - D(x)) + max(0, 1 + D(G(z)))."""
        return {"real": (1 - real.scores).relu().mean(), "fake": (1 + fake.scores).relu().mean()}

    def generator_terms(self, critic: ConditionedCritic, real: Tensor, fake: Tensor) -> Terms:
        """-D(G(z))."""
        return {"fake": -critic.scores(fake).mean()}
