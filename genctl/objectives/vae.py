"""The variational autoencoder: Kingma and Welling 2013; conditional as in Sohn et al. 2015."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat

from genctl.objectives.base import ForwardPass, Objective, Terms, Update

if TYPE_CHECKING:
    from genctl.conditions.base import Condition
    from genctl.data.base import Shape
    from genctl.data.batch import Batch
    from genctl.model import Model
    from genctl.networks.base import Networks


class Vae(Objective):
    """The generator reconstructs images from z drawn from a posterior network.

    Pixels are treated as probabilities, so the generator must end in a tanh.
    """

    kind: Literal["vae"] = "vae"
    beta: NonNegativeFloat = 1.0
    """Weight of the KL divergence from the prior: Higgins et al. 2017."""

    roles: ClassVar[tuple[str, ...]] = ("generator", "posterior")

    def problems(self, networks: Networks, condition: Condition, shape: Shape) -> dict[str, str]:
        """Refuse generators whose pixels cannot be read as probabilities."""
        if networks.bounded:
            return {}
        if "tanh" in type(networks).model_fields:
            return {"networks.tanh": "objective.kind vae needs true"}
        return {"networks.kind": "objective.kind vae needs dcgan, or resnet with networks.tanh"}

    def updates(self) -> tuple[Update, ...]:
        """One update of all networks."""
        return (Update("autoencoder", ("generator", "posterior", "encoder")),)

    def forward(self, model: Model, batch: Batch) -> ForwardPass:
        """Encode and reconstruct; the loss is beta KL(q(z | x) || N(0, I)), in nats per image."""
        codes = model.codes(batch)
        mean, log_variance = model.posterior(batch.real, codes.generator)  # each (B, z_dim)
        z = mean + (log_variance / 2).exp() * batch.z
        images = model.generate(z, codes.generator)
        kl = (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2
        return ForwardPass(codes, images, {"kl": self.beta * kl / len(z)})

    def terms(self, update: Update, model: Model, batch: Batch, forward: ForwardPass) -> Terms:
        """Binary cross-entropy of the pixels in nats per image, and the KL divergence."""
        reconstructed = (forward.images.float() + 1) / 2
        probability, target = reconstructed.clamp(1e-6, 1 - 1e-6), (batch.real + 1) / 2
        # torch's function raises an error where the images are NaN; here the loss is NaN too.
        nats = -(target * probability.log() + (1 - target) * (1 - probability).log()).sum()
        reconstruction = {"reconstruction": nats / len(target)}
        return reconstruction | forward.terms | forward.codes.terms
