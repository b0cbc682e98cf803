"""The relativistic pairing game with R1 alone, done lazily: Jolicoeur-Martineau 2018.

Every real image is paired with a generated one of the same condition, and only the difference of
their scores counts. `r3gan` adds the second penalty and pays for both in every step, which makes
it surer; this one draws more images in the same time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat, PositiveInt

from genctl.objectives.base import Adversarial, Score, Terms
from genctl.objectives.penalties import score_and_slope

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.batches import Batch


class Relativistic(Adversarial):
    """The critic ranks each real image above its partner; the generator reverses the order."""

    kind: Literal["relativistic"] = "relativistic"
    gamma: NonNegativeFloat = 0.3
    """Weight of the penalty R1; 0 turns it off."""
    penalty_every: PositiveInt = 8
    """Steps from one penalty to the next; each is this many times as strong."""

    def critic_terms(self, score: Score, real: Tensor, fake: Tensor, batch: Batch) -> Terms:
        """softplus(D(G(z)) - D(x)) + gamma/2 ||grad D(x)||²."""
        from torch.nn.functional import softplus

        if self.gamma == 0 or batch.step % self.penalty_every:
            real_scores, fake_scores = score.both(real, fake)
            return {"pair": softplus(fake_scores - real_scores).mean()}
        real_scores, slope = score_and_slope(score, real)
        return {
            "pair": softplus(score(fake) - real_scores).mean(),
            "r1": self.gamma / 2 * self.penalty_every * slope.mean(),
        }

    def generator_terms(self, score: Score, real: Tensor, fake: Tensor, batch: Batch) -> Terms:
        """softplus(D(x) - D(G(z)))."""
        from torch.nn.functional import softplus

        real_scores, fake_scores = score.both(real, fake)
        return {"pair": softplus(real_scores - fake_scores).mean()}
