"""Wasserstein distance with a gradient penalty: Gulrajani et al. 2017, algorithm 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat, PositiveInt

from genctl.objectives.base import Adversarial, Score, Terms
from genctl.objectives.penalties import scores_and_slopes

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.training.batches import Batch


class WganGp(Adversarial):
    """The critic's slope is pulled to 1 on the way from generated images to real ones."""

    kind: Literal["wgan_gp"] = "wgan_gp"
    penalty_weight: NonNegativeFloat = 10.0
    """lambda of the paper."""
    critic_steps: PositiveInt = 5
    """Critic steps for each generator step."""

    @property
    def critic_turns(self) -> int:
        """How often the critic learns before the generator does."""
        return self.critic_steps

    def critic_terms(self, score: Score, real: Tensor, fake: Tensor, batch: Batch) -> Terms:
        """D(G(z)) - D(x) + lambda (||grad D(mixture)|| - 1)²."""
        import torch

        real_scores, fake_scores = score.each(real, fake)
        share = batch.draws.uniform("mixture", 1, 1, 1)
        _, (slope,) = scores_and_slopes(score, torch.lerp(fake.to(real.dtype), real, share))
        # The root has an infinite slope at zero, so a little is added.
        excess = (slope + 1e-12).sqrt() - 1
        return {
            "wasserstein": (fake_scores - real_scores).mean(),
            "penalty": self.penalty_weight * excess.square().mean(),
        }

    def generator_terms(self, score: Score, real: Tensor, fake: Tensor, batch: Batch) -> Terms:
        """-D(G(z))."""
        return {"fake": -score(fake).mean()}
