"""The non-saturating game: Goodfellow et al. 2014, section 3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genctl.objectives.base import Score, Terms
from genctl.objectives.lazy_r1 import LazyR1

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.training.batches import Batch


class NonSaturating(LazyR1):
    """The critic lowers a cross-entropy; the generator raises the critic's belief in its images."""

    kind: Literal["nonsaturating"] = "nonsaturating"

    def critic_terms(self, score: Score, real: Tensor, fake: Tensor, batch: Batch) -> Terms:
        """softplus(-D(x)) + softplus(D(G(z))), and R1."""
        from torch.nn.functional import softplus

        real_scores, fake_scores, penalty = self.scores_and_penalty(score, real, fake, batch)
        terms = {"real": softplus(-real_scores).mean(), "fake": softplus(fake_scores).mean()}
        return terms | penalty

    def generator_terms(self, score: Score, real: Tensor, fake: Tensor, batch: Batch) -> Terms:
        """softplus(-D(G(z)))."""
        from torch.nn.functional import softplus

        return {"fake": softplus(-score(fake)).mean()}
