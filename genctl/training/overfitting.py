"""Whether the critic knows the training pictures by heart.

r_v of Karras et al. 2020, equation 1: where the critic's mean output on test images, which it has
never seen, lies between that on training images (0) and that on generated ones (1).
"""

from __future__ import annotations

import torch
from torch import Tensor

from genctl.common.devices import autocast
from genctl.config.config import Config
from genctl.data.base import Images
from genctl.data.batch import Batch
from genctl.model import Model
from genctl.objectives.adversarial import Adversarial, ConditionedCritic
from genctl.objectives.augment import FEW_PICTURES
from genctl.training.batches import Batches

OVERFITTING = "critic/overfitting"
"""The name of the measure in ``metrics.jsonl``."""
BY_HEART = 0.5
"""From here on test images look more like generated than like training images to the critic."""
AGREEING = 2
"""Measurements in a row that have to say so before it is told: each is of few images."""
MAX_COMPARED = 256
MIN_COMPARED = 32
"""Images of each kind; a mean of fewer would say little."""
NOISE_NUMBER = 2**40
"""Of the batches that are measured: their random numbers are not those of training."""


class OverfittingProbe:
    """Measures now and then, without a trace in the run's numbers.

    Args:
        config: of the run; its objective has a critic.
        images: the training images, on the model's device.
        test_images: images that are not trained on.
        precision: in which the run computes.
    """

    def __init__(self, config: Config, images: Images, test_images: Images, precision: str) -> None:
        count = min(MAX_COMPARED, len(test_images), len(images))
        self.config, self.precision, self.device = config, precision, images.device

        def batches(source: Images) -> Batches:
            z_dim, seed = config.networks.z_dim_for(source.shape), config.training.seed
            return Batches(source, config.condition, z_dim, count, seed)

        self.training = batches(images)
        self.test = batches(test_images.to(images.device))
        self.in_a_row = 0
        self.told = False

    @torch.no_grad()
    def measure(self, model: Model) -> float:
        """r_v: 0 if the critic does not tell training from test images, 1 if it knows the former.

        NaN while the critic does not tell real from generated images.
        """
        was_training = model.training
        model.eval()  # BatchNorm and spectral norms remember what passes through them
        try:
            training, generated = self._mean_scores(model, self.training)
            test, _ = self._mean_scores(model, self.test)
        finally:
            model.train(was_training)
        gap = training - generated
        return float((training - test) / gap) if gap > 0 else float("nan")

    def warning(self, measured: float) -> str:
        """What to tell, once, after a measurement; mostly nothing."""
        self.in_a_row = self.in_a_row + 1 if measured > BY_HEART else 0
        if self.told or self.in_a_row < AGREEING:
            return ""
        self.told = True
        return (
            f"the critic knows the training pictures by heart: to it, test images look "
            f"{measured:.0%} like generated ones; use more pictures, {self._advice()}, or a "
            "shorter run"
        )

    def _advice(self) -> str:
        objective = self.config.objective
        augmented = isinstance(objective, Adversarial) and objective.augment.strength != 0
        return "a smaller critic" if augmented else "objective.augment.strength: adaptive"

    def _mean_scores(self, model: Model, batches: Batches) -> tuple[float, float]:
        """The critic's mean scores of real and of generated images."""
        batch = self._batch(batches)
        with autocast(self.precision, self.device):
            codes = model.codes(batch)
            fake = model.generate(batch.z, codes.generator)
            critic = ConditionedCritic(model.critic, codes.critic)
            real_output, fake_output = critic(batch.real, fake)
        return _mean(real_output.scores), _mean(fake_output.scores)

    def _batch(self, batches: Batches) -> Batch:
        index = batches.index(0).to(self.device)
        noise, progress = batches.noise(NOISE_NUMBER), torch.zeros((), device=self.device)
        return batches.assemble(index, noise, "", progress)


def overfitting_probe(
    config: Config, images: Images, test_images: Images, precision: str
) -> OverfittingProbe | None:
    """The probe of a run on few pictures; None with many of them, or too few to test on."""
    few = len(images) < FEW_PICTURES and isinstance(config.objective, Adversarial)
    enough = min(len(images), len(test_images)) >= MIN_COMPARED
    return OverfittingProbe(config, images, test_images, precision) if few and enough else None


def _mean(scores: Tensor) -> float:
    return float(scores.double().mean())
