"""The least-squares GAN loss: Mao et al. 2017, with targets 1 for real and 0 for generated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genctl.objectives.adversarial import Adversarial, ConditionedCritic, CriticOutput
from genctl.objectives.base import Terms

if TYPE_CHECKING:
    from torch import Tensor


class LeastSquares(Adversarial):
    """The critic regresses 1 for real and 0 for generated images."""

    kind: Literal["least_squares"] = "least_squares"

    def certainty(self, real: Tensor, fake: Tensor) -> Tensor:
        """From the middle between the two targets on."""
        return real - 0.5

    def critic_terms(self, real: CriticOutput, fake: CriticOutput) -> Terms:
        """(D(x) - 1)²/2 + D(G(z))²/2."""
        return {
            "real": (real.scores - 1).square().mean() / 2,
            "fake": fake.scores.square().mean() / 2,
        }

    def generator_terms(self, critic: ConditionedCritic, real: Tensor, fake: Tensor) -> Terms:
        """(D(G(z)) - 1)²/2."""
        return {"fake": (critic.scores(fake) - 1).square().mean() / 2}
