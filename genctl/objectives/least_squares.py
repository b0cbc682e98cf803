"""The least-squares game: Mao et al. 2017, with targets 1 for real and 0 for generated images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genctl.objectives.base import Adversarial, Score, Terms

if TYPE_CHECKING:
    from torch import Tensor

    from genctl.training.batches import Batch


class LeastSquares(Adversarial):
    """The critic regresses real or not; the generator pulls its images towards real."""

    kind: Literal["least_squares"] = "least_squares"

    def critic_terms(self, score: Score, real: Tensor, fake: Tensor, batch: Batch) -> Terms:
        """(D(x) - 1)²/2 + D(G(z))²/2."""
        real_scores, fake_scores = score.each(real, fake)
        return {
            "real": (real_scores - 1).square().mean() / 2,
            "fake": fake_scores.square().mean() / 2,
        }

    def generator_terms(self, score: Score, real: Tensor, fake: Tensor, batch: Batch) -> Terms:
        """(D(G(z)) - 1)²/2."""
        return {"fake": (score(fake) - 1).square().mean() / 2}
