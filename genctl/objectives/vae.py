"""The variational autoencoder: Kingma and Welling 2013; conditional as in Sohn et al. 2015."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat

from genctl.objectives.base import Objective, Terms, Turn

if TYPE_CHECKING:
    from genctl.model import Model
    from genctl.networks.base import Networks
    from genctl.training.batches import Batch


class Vae(Objective):
    """The generator rebuilds an image from what a posterior network makes of it.

    Pixels are read as probabilities, so the generator must end in a tanh.
    """

    kind: Literal["vae"] = "vae"
    beta: NonNegativeFloat = 1.0
    """Weight of the divergence from the prior: Higgins et al. 2017."""

    roles: ClassVar[tuple[str, ...]] = ("generator", "posterior")

    def problems(self, networks: Networks) -> dict[str, str]:
        """Refuse generators whose pixels cannot be read as probabilities."""
        return {} if networks.bounded else {"tanh": "objective.kind vae needs true"}

    def turns(self) -> tuple[Turn, ...]:
        """One turn, in which all networks learn."""
        return (Turn("autoencoder", ("generator", "posterior", "encoder")),)

    def terms(self, turn: Turn, model: Model, batch: Batch) -> Terms:
        """Cross-entropy of the pixels and KL(q(z | x) || N(0, I)), in nats per image."""
        codes = model.codes(batch)
        mean, log_variance = model.posterior(batch.real, codes.generator)  # each (B, z)
        z = mean + (log_variance / 2).exp() * batch.noise
        drawn = (model.generate(z, codes.generator).float() + 1) / 2
        probability, target = drawn.clamp(1e-6, 1 - 1e-6), (batch.real + 1) / 2
        # Spelled out: torch's function fails, rather than be not a number, once the images are.
        nats = -(target * probability.log() + (1 - target) * (1 - probability).log()).sum()
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2
        return {
            "reconstruction": nats / len(z),
            "divergence": self.beta * divergence / len(z),
        } | codes.terms
