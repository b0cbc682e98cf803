"""The relativistic pairing game with R1 alone, done lazily: Jolicoeur-Martineau 2018.

Every real image is paired with a generated one of the same condition, and only the difference of
their scores counts. `r3gan` adds the second penalty and pays for both in every step, which makes
it surer; this one draws more images in the same time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genctl.objectives.base import Score, Terms
from genctl.objectives.lazy_r1 import LazyR1

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.training.batches import Batch


class Relativistic(LazyR1):
    """The critic ranks each real image above its partner; the generator reverses the order."""

    kind: Literal["relativistic"] = "relativistic"

    def critic_terms(self, score: Score, real: Tensor, fake: Tensor, batch: Batch) -> Terms:
        """softplus(D(G(z)) - D(x)), and R1."""
        from torch.nn.functional import softplus

        real_scores, fake_scores, penalty = self.scores_and_penalty(score, real, fake, batch)
        return {"pair": softplus(fake_scores - real_scores).mean()} | penalty

    def generator_terms(self, score: Score, real: Tensor, fake: Tensor, batch: Batch) -> Terms:
        """softplus(D(x) - D(G(z)))."""
        from torch.nn.functional import softplus

        return {"pair": softplus(score.constant(real) - score(fake)).mean()}
