"""The base of objectives that regularize the critic with lazy R1.

R1 is the squared gradient of the critic at real images: Mescheder et al. 2018, equation 9.
Computing it only in every n-th step, n times as strong, is from Karras et al. 2020 (StyleGAN2),
appendix B.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import NonNegativeFloat, PositiveInt

from genctl.objectives.adversarial import Adversarial, ConditionedCritic, CriticOutput
from genctl.objectives.base import Terms
from genctl.objectives.gradient_penalty import outputs_and_squared_gradients

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.data.batch import Batch

WITH_R1 = "r1"


class LazyR1(Adversarial):
    """The critic's loss includes the penalty gamma/2 ||grad D(x)||²."""

    gamma: NonNegativeFloat = 1.0
    """Weight of the R1 penalty; 0 turns it off."""
    r1_interval: PositiveInt = 8
    """Steps from one R1 penalty to the next; each is this many times as strong."""

    def variant(self, step: int) -> str:
        """With the penalty, or without."""
        due = self.gamma and step % self.r1_interval == 0
        return WITH_R1 if due else ""

    def critic_outputs(
        self, critic: ConditionedCritic, fake: Tensor, batch: Batch
    ) -> tuple[CriticOutput, CriticOutput, Terms]:
        """The outputs for real and generated images, and the penalty if it is due."""
        if batch.variant != WITH_R1:
            return super().critic_outputs(critic, fake, batch)
        ((real_output, squared_gradient),) = outputs_and_squared_gradients(critic, batch.real)
        (fake_output,) = critic(fake)
        penalty = self.gamma / 2 * self.r1_interval * squared_gradient.mean()
        return real_output, fake_output, {"r1": penalty}
