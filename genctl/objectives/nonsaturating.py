"""The non-saturating GAN loss: Goodfellow et al. 2014, section 3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genctl.objectives.adversarial import ConditionedCritic, CriticOutput
from genctl.objectives.base import Terms
from genctl.objectives.lazy_r1 import LazyR1

if TYPE_CHECKING:
    from torch import Tensor


class NonSaturating(LazyR1):
    """The original loss, with the generator maximizing log D(G(z))."""

    kind: Literal["nonsaturating"] = "nonsaturating"

    def critic_terms(self, real: CriticOutput, fake: CriticOutput) -> Terms:
        """softplus(-D(x)) + softplus(D(G(z)))."""
        from torch.nn.functional import softplus

        return {"real": softplus(-real.scores).mean(), "fake": softplus(fake.scores).mean()}

    def generator_terms(self, critic: ConditionedCritic, real: Tensor, fake: Tensor) -> Terms:
        """softplus(-D(G(z)))."""
        from torch.nn.functional import softplus

        return {"fake": softplus(-critic.scores(fake)).mean()}
