"""What games have in common whose critic is held down by R1 now and then.

R1 is the critic's squared slope at real images: Mescheder et al. 2018, equation 9. Taking it only
in every n-th step, n times as strong, is from Karras et al. 2020 (StyleGAN2), appendix B.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import NonNegativeFloat, PositiveInt

from genctl.objectives.base import Adversarial, Score, Terms
from genctl.objectives.penalties import scores_and_slopes

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.training.batches import Batch


PENALISED = "penalised"


class LazyR1(Adversarial):
    """A game with the penalty gamma/2 ||grad D(x)||² on the critic."""

    gamma: NonNegativeFloat = 1.0
    """Weight of the penalty R1; 0 turns it off."""
    penalty_every: PositiveInt = 8
    """Steps from one penalty to the next; each is this many times as strong."""

    def variant(self, step: int) -> str:
        """With the penalty, or without."""
        due = self.gamma and step % self.penalty_every == 0
        return PENALISED if due else ""

    def scores_and_penalty(
        self, score: Score, real: Tensor, fake: Tensor, batch: Batch
    ) -> tuple[Tensor, Tensor, Terms]:
        """Scores (B,) of the real and of the generated images, and the penalty if it is due."""
        if batch.variant != PENALISED:
            real_scores, fake_scores = score.each(real, fake)
            return real_scores, fake_scores, {}
        (real_scores,), (slope,) = scores_and_slopes(score, real)
        penalty = self.gamma / 2 * self.penalty_every * slope.mean()
        return real_scores, score(fake), {"r1": penalty}
