"""The base of conditions with codes, whether the encoder sees a label or an image."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from pydantic import Field, NonNegativeFloat, PositiveInt

from genctl.conditions.base import Codes, Condition

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor, nn

    from genctl.data.base import Images
    from genctl.data.batch import Batch

IMAGES_PER_CLASS = 256
"""Images whose mean code becomes the code of their class."""
NUM_TRAINING_CODES = 512
"""Codes of training images that a model file keeps, for random codes."""


class Coded(Condition):
    """Codes are normalized, so they lie on a sphere; random codes are near training codes."""

    code_dim: PositiveInt = Field(default=64, le=4096)
    """Length of a code."""
    code_noise: NonNegativeFloat = 0.2
    """Standard deviation of the noise added to codes in training.

    Without it a code identifies one training image, which the critic could memorize.
    """

    def critic_code_dim(self, num_classes: int) -> int:
        """The code and a one-hot class."""
        return self.code_dim + self.critic_classes(num_classes)

    def critic_classes(self, num_classes: int) -> int:
        """How many classes the critic is conditioned on, besides the code."""
        return num_classes

    @abstractmethod
    def encode(self, encoder: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The codes (B, code_dim) of a batch without noise, and the encoder's losses."""

    def codes(self, encoder: nn.Module, batch: Batch) -> Codes:
        """Codes with noise; for the critic also the one-hot class.

        The critic's codes carry no gradient: the encoder could satisfy the critic through them
        without any image getting better.
        """
        import torch

        from genctl.networks.layers.normalize import normalize

        code, terms = self.encode(encoder, batch)
        noise = batch.noise.normal("code", self.code_dim)
        code = normalize(code + self.code_noise * noise)
        # Scaled to the length of a code, so that neither outweighs the other.
        facts = self.critic_facts(batch) * self.code_dim**0.5
        return Codes(code, torch.cat([code.detach(), facts], dim=1), terms)

    def critic_facts(self, batch: Batch) -> Tensor:
        """What the critic is conditioned on besides the code: (B, critic_classes) bool, one-hot."""
        import torch

        classes = torch.arange(self.critic_classes(batch.num_classes), device=batch.labels.device)
        return batch.labels[:, None] == classes

    def example_inputs(self, images: Images, count: int) -> Tensor:
        """Those of the first image of each of the first classes, else of the first images."""
        import torch

        if not images.classes:
            return self.encoder_inputs(images, torch.arange(min(count, len(images))))
        labels = images.labels.cpu()
        present = labels.unique()[:count]
        first = torch.stack([(labels == label).nonzero()[0, 0] for label in present])
        return self.encoder_inputs(images, first)

    def class_codes(self, encode: Callable[[Tensor], Tensor], images: Images) -> Tensor:
        """The mean code of some images of each class; of any images if a class has none."""
        import torch

        from genctl.networks.layers.normalize import normalize

        means = [torch.empty(0, self.code_dim)]
        for label in range(len(images.classes)):
            members = (images.labels == label).nonzero()[:IMAGES_PER_CLASS, 0]
            if not len(members):
                members = torch.arange(min(IMAGES_PER_CLASS, len(images)))
            means.append(encode(self.kind_inputs(images, members)).mean(dim=0, keepdim=True))
        return normalize(torch.cat(means))

    def training_codes(self, encode: Callable[[Tensor], Tensor], images: Images) -> Tensor:
        """The codes of randomly chosen training images; the data may be sorted."""
        import torch

        from genctl.common.rng import torch_rng

        order = torch.randperm(len(images), generator=torch_rng(0, "typical"))
        index = order[:NUM_TRAINING_CODES].to(images.device)
        return encode(self.encoder_inputs(images, index))

    def random_codes(self, training_codes: Tensor, count: int, rng: torch.Generator) -> Tensor:
        """Randomly chosen training codes, with noise as in training.

        Uniformly random points of the sphere are too far from the training codes: with them FID was
        4 to 5 instead of 0.2 (docs/measurements.md).
        """
        import torch

        from genctl.networks.layers.normalize import normalize

        chosen = training_codes[torch.randint(len(training_codes), (count,), generator=rng)]
        return normalize(chosen + self.code_noise * torch.randn(chosen.shape, generator=rng))
