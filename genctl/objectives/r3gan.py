"""The relativistic game with both zero-centred penalties: Huang et al. 2024, arXiv 2501.05441.

Every real image is paired with a generated one of the same condition, and only the difference of
their scores counts. Both penalties are needed in every step; the paper shows that the game fails
to converge with R1 alone, and with penalties done lazily.
"""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeFloat

from genctl.objectives.base import Adversarial, Score, Terms
from genctl.objectives.penalties import scores_and_slopes

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.training.batches import Batch


class R3GAN(Adversarial):
    """Relativistic pairing with R1 and R2."""

    kind: Literal["r3gan"] = "r3gan"
    gamma: NonNegativeFloat = 1.0
    """Weight of R1 and of R2 at the start."""
    gamma_end: NonNegativeFloat = 0.1
    """Weight of both after the burn-in."""
    burn_in: float = Field(default=0.2, ge=0, le=1)
    """Share of the run over which the weight goes from one to the other, along a cosine."""

    def critic_terms(self, score: Score, real: Tensor, fake: Tensor, batch: Batch) -> Terms:
        """softplus(D(G(z)) - D(x)) + gamma/2 (||grad D(x)||² + ||grad D(G(z))||²)."""
        from torch.nn.functional import softplus

        (real_scores, fake_scores), (real_slope, fake_slope) = scores_and_slopes(score, real, fake)
        gamma = self.gamma_at(batch.progress)
        return {
            "pair": softplus(fake_scores - real_scores).mean(),
            "r1": gamma / 2 * real_slope.mean(),
            "r2": gamma / 2 * fake_slope.mean(),
        }

    def generator_terms(self, score: Score, real: Tensor, fake: Tensor, batch: Batch) -> Terms:
        """softplus(D(x) - D(G(z)))."""
        from torch.nn.functional import softplus

        return {"pair": softplus(score.constant(real) - score(fake)).mean()}

    def gamma_at(self, progress: Tensor) -> Tensor:
        """The weight of both penalties when ``progress`` (0 to 1) of the run is done."""
        burnt = (progress / self.burn_in).clamp(max=1) if self.burn_in else progress.new_ones(())
        return self.gamma_end + (self.gamma - self.gamma_end) * (1 + (pi * burnt).cos()) / 2
