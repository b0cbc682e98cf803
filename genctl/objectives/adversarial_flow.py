"""The adversarial flow: Lin et al. 2025, Adversarial Flow Models, arXiv 2511.22475; one step.

A relativistic GAN whose generator also pays for the way from z to the image, so that of all maps
from noise to images it learns the shortest: the optimal transport. The weight of that term falls
during the run, since any weight above zero shrinks images a little. The gradient that the critic
sends to the generator is divided by its running root mean square, which makes the weight mean the
same from the first step to the last.

z may be shorter than an image, as in most families of networks. Then it is placed among the images
by fixed orthonormal patterns, the smoothest there are; with `unet`, z is an image itself, as in the
paper. Penalties on the critic's gradient are exact and lazy here, and on real images only.
"""

from __future__ import annotations

from dataclasses import replace
from math import pi
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat

from genctl.objectives.adversarial import ConditionedCritic, CriticOutput
from genctl.objectives.base import ForwardPass, Terms, Update
from genctl.objectives.lazy_r1 import LazyR1
from genctl.objectives.relativistic import relativistic_generator_terms

if TYPE_CHECKING:
    from torch import Tensor, nn

    from genctl.conditions.base import Condition
    from genctl.data.base import Shape
    from genctl.data.batch import Batch
    from genctl.model import Model
    from genctl.networks.base import Networks


class AdversarialFlow(LazyR1):
    """Relativistic pairing, and the shortest way from noise to images."""

    kind: Literal["adversarial_flow"] = "adversarial_flow"
    compares_scores: ClassVar[bool] = True
    transport_weight: NonNegativeFloat = 0.2
    """Weight of the squared distance between z and its image, at the start."""
    transport_weight_end: NonNegativeFloat = 0.005
    """The same at the end; in between it follows a cosine."""
    centering_weight: NonNegativeFloat = 0.01
    """Weight of (D(x) + D(G(z)))², which keeps the critic's scores around zero."""

    own_roles: ClassVar[tuple[str, ...]] = ("transport",)

    def build_role(self, role: str, z_dim: int, shape: Shape) -> nn.Module:
        """The running mean of the squared gradient, and the place of z among images."""
        from genctl.networks.layers.transport import Transport

        return Transport(z_dim, shape.channels, shape.size)

    def problems(self, networks: Networks, condition: Condition, shape: Shape) -> dict[str, str]:
        """Refuse a z that is longer than an image."""
        z_dim, numbers = networks.z_dim_for(shape), shape.channels * shape.size**2
        if z_dim <= numbers:
            return {}
        why = f"objective.kind adversarial_flow needs at most the {numbers} numbers of an image"
        return {"networks.z_dim": f"{why}, found {z_dim}"}

    def terms(self, update: Update, model: Model, batch: Batch, forward: ForwardPass) -> Terms:
        """The GAN's losses; for the generator, the cost of the transport as well."""
        from genctl.networks.layers.transport import Transport

        if update.name == "critic":
            return super().terms(update, model, batch, forward)
        transport = model.networks["transport"]
        assert isinstance(transport, Transport)
        images = transport.normalize_gradient(forward.images)
        terms = super().terms(update, model, batch, replace(forward, images=images))
        distance = (forward.images - transport.place(batch.z)).square().mean()
        return terms | {"transport": self.transport_weight_at(batch.progress) * distance}

    def critic_terms(self, real: CriticOutput, fake: CriticOutput) -> Terms:
        """softplus(D(G(z)) - D(x)), and the squared sum of both scores."""
        from torch.nn.functional import softplus

        centering = (real.scores + fake.scores).square().mean()
        return {
            "relativistic": softplus(fake.scores - real.scores).mean(),
            "centering": self.centering_weight * centering,
        }

    def generator_terms(self, critic: ConditionedCritic, real: Tensor, fake: Tensor) -> Terms:
        """softplus(D(x) - D(G(z)))."""
        return relativistic_generator_terms(critic, real, fake)

    def transport_weight_at(self, progress: Tensor) -> Tensor:
        """The weight of the transport term at ``progress`` (0 to 1) of the run."""
        start, end = self.transport_weight, self.transport_weight_end
        return end + (start - end) * (1 + (pi * progress).cos()) / 2
