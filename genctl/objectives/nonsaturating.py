"""The non-saturating game, with the critic's slope at real images held down (R1).

Goodfellow et al. 2014, section 3; Mescheder et al. 2018, equation 9. Doing the penalty only in
every n-th step, n times as strong, is from Karras et al. 2020 (StyleGAN2), appendix B.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat, PositiveInt

from genctl.objectives.base import Adversarial, Score, Terms
from genctl.objectives.penalties import score_and_slope

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.batches import Batch


class NonSaturating(Adversarial):
    """The critic lowers a cross-entropy; the generator raises the critic's belief in its images."""

    kind: Literal["nonsaturating"] = "nonsaturating"
    gamma: NonNegativeFloat = 1.0
    """Weight of the penalty R1; 0 turns it off."""
    penalty_every: PositiveInt = 8
    """Steps from one penalty to the next; each is this many times as strong."""

    def critic_terms(self, score: Score, real: Tensor, fake: Tensor, batch: Batch) -> Terms:
        """softplus(-D(x)) + softplus(D(G(z))) + gamma/2 ||grad D(x)||²."""
        from torch.nn.functional import softplus

        if self.gamma == 0 or batch.step % self.penalty_every:
            real_scores, fake_scores = score.both(real, fake)
            return {"real": softplus(-real_scores).mean(), "fake": softplus(fake_scores).mean()}
        real_scores, slope = score_and_slope(score, real)
        return {
            "real": softplus(-real_scores).mean(),
            "fake": softplus(score(fake)).mean(),
            "r1": self.gamma / 2 * self.penalty_every * slope.mean(),
        }

    def generator_terms(self, score: Score, real: Tensor, fake: Tensor, batch: Batch) -> Terms:
        """softplus(-D(G(z)))."""
        from torch.nn.functional import softplus

        return {"fake": softplus(-score(fake)).mean()}
