"""The relativistic pairing loss with R1 and R2: Huang et al. 2024 (R3GAN), arXiv 2501.05441.

Every real image is paired with a generated one of the same condition, and only the difference of
their scores counts. The penalties are computed in every step: the paper shows that training does
not converge with R1 alone, nor with lazy penalties.
"""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, NonNegativeFloat

from genctl.objectives.adversarial import Adversarial, ConditionedCritic, CriticOutput
from genctl.objectives.base import Terms
from genctl.objectives.gradient_penalty import outputs_and_squared_gradients
from genctl.objectives.relativistic import relativistic_generator_terms

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.data.batch import Batch


class R3GAN(Adversarial):
    """Relativistic pairing with R1 and R2."""

    kind: Literal["r3gan"] = "r3gan"
    compares_scores: ClassVar[bool] = True
    gamma: NonNegativeFloat = 1.0
    """Weight of R1 and R2 at the start."""
    gamma_end: NonNegativeFloat = 0.1
    """Weight of both after the burn-in."""
    gamma_burn_in: float = Field(default=0.2, ge=0, le=1)
    """Share of the run over which the weight follows a cosine from one to the other."""

    def critic_outputs(
        self, critic: ConditionedCritic, fake: Tensor, batch: Batch
    ) -> tuple[CriticOutput, CriticOutput, Terms]:
        """The outputs, and gamma/2 (||grad D(x)||² + ||grad D(G(z))||²)."""
        (real_output, real_squared), (fake_output, fake_squared) = outputs_and_squared_gradients(
            critic, batch.real, fake
        )
        gamma = self.gamma_at(batch.progress)
        penalties = {"r1": gamma / 2 * real_squared.mean(), "r2": gamma / 2 * fake_squared.mean()}
        return real_output, fake_output, penalties

    def critic_terms(self, real: CriticOutput, fake: CriticOutput) -> Terms:
        """softplus(D(G(z)) - D(x))."""
        from torch.nn.functional import softplus

        return {"relativistic": softplus(fake.scores - real.scores).mean()}

    def generator_terms(self, critic: ConditionedCritic, real: Tensor, fake: Tensor) -> Terms:
        """softplus(D(x) - D(G(z)))."""
        return relativistic_generator_terms(critic, real, fake)

    def gamma_at(self, progress: Tensor) -> Tensor:
        """The weight of both penalties at ``progress`` (0 to 1) of the run."""
        if self.gamma_burn_in:
            share = (progress / self.gamma_burn_in).clamp(max=1)
        else:
            share = progress.new_ones(())
        return self.gamma_end + (self.gamma - self.gamma_end) * (1 + (pi * share).cos()) / 2
