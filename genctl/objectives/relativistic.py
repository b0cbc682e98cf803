"""The relativistic pairing loss with lazy R1: Jolicoeur-Martineau 2018.

Every real image is paired with a generated one of the same condition, and only the difference of
their scores counts. `r3gan` adds the R2 penalty and computes both in every step, which makes it
more stable; this one trains on more images in the same time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from genctl.objectives.adversarial import ConditionedCritic, CriticOutput
from genctl.objectives.base import Terms
from genctl.objectives.lazy_r1 import LazyR1

if TYPE_CHECKING:
    from torch import Tensor


class Relativistic(LazyR1):
    """The critic ranks real images above generated ones; the generator reverses the order."""

    kind: Literal["relativistic"] = "relativistic"
    compares_scores: ClassVar[bool] = True

    def critic_terms(self, real: CriticOutput, fake: CriticOutput) -> Terms:
        """softplus(D(G(z)) - D(x))."""
        from torch.nn.functional import softplus

        return {"relativistic": softplus(fake.scores - real.scores).mean()}

    def generator_terms(self, critic: ConditionedCritic, real: Tensor, fake: Tensor) -> Terms:
        """softplus(D(x) - D(G(z)))."""
        return relativistic_generator_terms(critic, real, fake)


def relativistic_generator_terms(critic: ConditionedCritic, real: Tensor, fake: Tensor) -> Terms:
    """softplus(D(x) - D(G(z))), with D(x) as a constant."""
    import torch
    from torch.nn.functional import softplus

    with torch.no_grad():
        real_scores = critic.scores(real)
    return {"relativistic": softplus(real_scores - critic.scores(fake)).mean()}
