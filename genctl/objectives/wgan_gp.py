"""Wasserstein distance with a gradient penalty: Gulrajani et al. 2017, algorithm 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat, PositiveInt

from genctl.objectives.adversarial import Adversarial, ConditionedCritic, CriticOutput
from genctl.objectives.base import Terms
from genctl.objectives.gradient_penalty import outputs_and_squared_gradients

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.data.batch import Batch


class WganGp(Adversarial):
    """The norm of the critic's gradient is pulled towards 1 between generated and real images."""

    kind: Literal["wgan_gp"] = "wgan_gp"
    compares_scores: ClassVar[bool] = True
    gradient_penalty_weight: NonNegativeFloat = 10.0
    """Weight of the gradient penalty: lambda in the paper."""
    critic_steps: PositiveInt = 5
    """Critic updates for each generator update."""

    @property
    def critic_repeats(self) -> int:
        """``critic_steps``."""
        return self.critic_steps

    def critic_outputs(
        self, critic: ConditionedCritic, fake: Tensor, batch: Batch
    ) -> tuple[CriticOutput, CriticOutput, Terms]:
        """The outputs, and lambda (||grad D(mixture)|| - 1)²."""
        import torch

        real_output, fake_output = critic(batch.real, fake)
        share = batch.noise.uniform("mixture", 1, 1, 1)
        mixture = torch.lerp(fake.to(batch.real.dtype), batch.real, share)
        ((_, squared_gradient),) = outputs_and_squared_gradients(critic, mixture)
        # The root has an infinite derivative at zero.
        excess = (squared_gradient + 1e-12).sqrt() - 1
        penalty = self.gradient_penalty_weight * excess.square().mean()
        return real_output, fake_output, {"gradient_penalty": penalty}

    def critic_terms(self, real: CriticOutput, fake: CriticOutput) -> Terms:
        """D(G(z)) - D(x)."""
        return {"wasserstein": (fake.scores - real.scores).mean()}

    def generator_terms(self, critic: ConditionedCritic, real: Tensor, fake: Tensor) -> Terms:
        """-D(G(z))."""
        return {"fake": -critic.scores(fake).mean()}
