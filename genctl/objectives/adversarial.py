"""GAN objectives: a critic learns to tell real from generated images; the generator, to fool it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from pydantic import NonNegativeFloat, ValidationInfo, field_validator

from genctl.objectives.augment import REAL_SIGN, AugmentState, CriticAugment
from genctl.objectives.base import ForwardPass, Objective, Terms, Update

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor, nn

    from genctl.data.batch import Batch
    from genctl.model import Model


@dataclass(frozen=True)
class CriticOutput:
    """The critic's output for a batch of images."""

    scores: Tensor  # (B,): high is real
    class_logits: Tensor  # (B, num_classes)


@dataclass
class ConditionedCritic:
    """The critic, given the codes of a batch and how to augment it."""

    network: nn.Module
    codes: Tensor  # (B, critic_code_dim)
    augment: Callable[[Tensor], Tensor] | None = None  # images (n * B, C, H, W), n batches of them
    _last: tuple[Tensor, CriticOutput] | None = field(default=None, init=False)

    def __call__(self, *batches: Tensor) -> tuple[CriticOutput, ...]:
        """One output for each batch of images (B, C, H, W), from one pass over all of them."""
        import torch

        images = torch.cat(batches)
        if self.augment is not None:
            images = self.augment(images)
        output = self.network(images, self.codes.repeat(len(batches), 1))
        return tuple(CriticOutput(part[:, 0], part[:, 1:]) for part in output.chunk(len(batches)))

    def scores(self, images: Tensor) -> Tensor:
        """Scores (B,) of one batch of images (B, C, H, W)."""
        (output,) = self(images)
        self._last = images, output
        return output.scores

    def class_logits(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes); costs nothing for the images whose scores were computed last."""
        if self._last is None or self._last[0] is not images:
            self.scores(images)
        assert self._last is not None
        return self._last[1].class_logits


class Adversarial(Objective):
    """The critic's update, then the generator's.

    A subclass writes the two formulas: ``critic_terms`` on the critic's outputs for real and
    generated images, and ``generator_terms`` on the critic itself and both batches of images, so
    that it computes only the passes that it needs.
    """

    roles: ClassVar[tuple[str, ...]] = ("generator", "critic")

    compares_scores: ClassVar[bool] = False
    """Whether the formulas see only differences of two scores, which alone then say nothing."""

    critic_cross_entropy_weight: NonNegativeFloat = 0.0
    """Weight of the classification of real images in the critic's loss; 0 needs no labels.

    A critic that knows the classes notices images of the wrong class: Odena et al. 2017, but for
    real images only.
    """
    generator_cross_entropy_weight: NonNegativeFloat = 0.0
    """Weight of the critic's classification of generated images in the generator's loss, as in
    Odena et al. 2017. Images agree better with their condition; too much of it costs variety."""
    augment: CriticAugment = CriticAugment()
    """Random transformations of all images that the critic sees, for few pictures."""

    @field_validator("generator_cross_entropy_weight")
    @classmethod
    def _needs_a_classifier(cls, weight: float, info: ValidationInfo) -> float:
        if weight and not info.data.get("critic_cross_entropy_weight"):
            raise ValueError("needs a critic that learns the classes: critic_cross_entropy_weight")
        return weight

    def augment_state(self, num_images: int, device: torch.device) -> AugmentState | None:
        """As ``augment`` says."""
        return self.augment.start(num_images, device)

    def critic_classes(self, num_classes: int) -> int:
        """All of them, unless the classification has no weight."""
        return num_classes if self.critic_cross_entropy_weight else 0

    @property
    def critic_repeats(self) -> int:
        """How many critic updates precede each generator update."""
        return 1

    def updates(self) -> tuple[Update, ...]:
        """The critic's update, then the generator's; the encoder learns with the generator."""
        return (
            Update("critic", ("critic",), self.critic_repeats),
            Update("generator", ("generator", "encoder")),
        )

    def terms(self, update: Update, model: Model, batch: Batch, forward: ForwardPass) -> Terms:
        """The formula of the update, and the losses that come with the condition."""
        critic = self._conditioned_critic(update, model, batch, forward)
        if update.name == "critic":
            fake = forward.images.detach()
            real_output, fake_output, penalties = self.critic_outputs(critic, fake, batch)
            if batch.augment_strength is not None:
                sure = self.certainty(real_output.scores.detach(), fake_output.scores.detach())
                forward.measured[REAL_SIGN] = sure.float().sign().mean()
            terms = self.critic_terms(real_output, fake_output) | penalties
            weight = self.critic_cross_entropy_weight
            return terms | _classification("cross_entropy", weight, real_output.class_logits, batch)
        with model.frozen("critic"):
            terms = self.generator_terms(critic, batch.real, forward.images) | forward.codes.terms
            if self.generator_cross_entropy_weight and forward.codes.generator.shape[1]:
                logits = critic.class_logits(forward.images)
                said = None if batch.caption is None else batch.caption.says
                terms |= _classification(
                    "class", self.generator_cross_entropy_weight, logits, batch, said
                )
            return terms

    def critic_outputs(
        self, critic: ConditionedCritic, fake: Tensor, batch: Batch
    ) -> tuple[CriticOutput, CriticOutput, Terms]:
        """The outputs for real and generated images, and penalties on the critic's gradients."""
        real_output, fake_output = critic(batch.real, fake)
        return real_output, fake_output, {}

    def certainty(self, real: Tensor, fake: Tensor) -> Tensor:
        """How sure the critic is that real images are real, (B,), from both scores (B,).

        Above 0 it is right, below it is wrong.
        """
        return real - fake if self.compares_scores else real

    @abstractmethod
    def critic_terms(self, real: CriticOutput, fake: CriticOutput) -> Terms:
        """The critic's losses, from its outputs for real and generated images."""

    @abstractmethod
    def generator_terms(self, critic: ConditionedCritic, real: Tensor, fake: Tensor) -> Terms:
        """The generator's losses, from images (B, C, H, W) in about [-1, 1]."""

    def _conditioned_critic(
        self, update: Update, model: Model, batch: Batch, forward: ForwardPass
    ) -> ConditionedCritic:
        strength, codes = batch.augment_strength, forward.codes.critic
        if strength is None:
            return ConditionedCritic(model.critic, codes)

        def augment(images: Tensor) -> Tensor:
            return self.augment.transform(images, strength, batch.noise, f"augment {update.name}")

        return ConditionedCritic(model.critic, codes, augment)


def _classification(
    name: str, weight: float, logits: Tensor, batch: Batch, said: Tensor | None = None
) -> Terms:
    """The cross-entropy of logits (B, num_classes) with the labels; none without classes.

    Of captions, that of each attribute, summed; with ``said`` (B, attributes) bool only of those
    images whose caption says it.
    """
    from genctl.networks.layers.attributes import attribute_cross_entropy

    if not logits.shape[1]:
        return {}
    loss = attribute_cross_entropy(logits, batch.attributes, batch.attribute_sizes, said)
    return {name: weight * loss}
