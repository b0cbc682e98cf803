"""The seam of a condition: what is shown, how it becomes a code, and what that costs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import NonNegativeFloat

from genctl.common.settings import Settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from genctl.data.base import Images, Shape
    from genctl.data.batch_noise import Draws
    from genctl.networks.base import Networks
    from genctl.objectives.base import Score
    from genctl.training.batches import Batch


@dataclass(frozen=True)
class Codes:
    """A batch of conditions as the networks see them."""

    generator: Tensor  # (B, width)
    critic: Tensor  # (B, critic's width), without gradient: what the critic is told
    terms: dict[str, Tensor] = field(default_factory=dict)  # what the encoder lowers besides


@dataclass(frozen=True)
class Shown:
    """The real images of a batch and what is shown beside them."""

    real: Tensor  # (B, C, H, W) in [-1, 1]: what the critic shall take for real
    image: Tensor  # (B, C, H, W) in [-1, 1]: what the encoder looks at
    labels: Tensor  # (B,) int64


class Condition(Settings):
    """How the generator learns what to draw."""

    kind: str
    critic_cross_entropy: NonNegativeFloat = 0.0
    """Weight of the classes of real images in the critic's loss; 0 does not teach it classes.

    A critic that knows the classes sees at once when the generator draws another: Odena et al.
    2017, with the term for real images alone, since for drawn ones it would cost variety.
    """

    @property
    @abstractmethod
    def code_width(self) -> int:
        """The length of a code; 0 means that there is no condition."""

    def critic_width(self, classes: int) -> int:
        """The length of what the critic is told."""
        return self.code_width

    def critic_classes(self, classes: int) -> int:
        """How many classes the critic learns to name: all of them, unless that has no weight."""
        return classes if self.critic_cross_entropy else 0

    def critic_terms(self, score: Score, batch: Batch) -> dict[str, Tensor]:
        """The cross-entropy of the real images' classes."""
        from torch.nn.functional import cross_entropy

        if not score.classes:
            return {}
        loss = cross_entropy(score.class_logits(batch.real), batch.labels)
        return {"cross_entropy": self.critic_cross_entropy * loss}

    def check(self, labelled: bool) -> None:
        """Refuse data that cannot serve this condition.

        Raises:
            ConfigError: naming the setting to change.
        """

    @abstractmethod
    def encoder(self, networks: Networks, shape: Shape, classes: int) -> nn.Module:
        """The network that turns conditions into codes (B, width)."""

    def show(self, images: Images, index: Tensor, draws: Draws) -> Shown:
        """The real images of a batch, and what is shown with each of them."""
        real = images.floats(index)
        return Shown(real, real, images.labels[index])

    @abstractmethod
    def codes(self, encoder: nn.Module, batch: Batch) -> Codes:
        """The codes of a training batch."""

    @abstractmethod
    def looks_at(self, images: Images, index: Tensor) -> Tensor:
        """What the encoder is shown (B, ...) of the images at ``index``: them, or their labels."""

    @abstractmethod
    def examples(self, images: Images, count: int) -> Tensor:
        """What the encoder is shown for the sample grids of a run, up to ``count`` of them."""

    @abstractmethod
    def class_codes(self, encode: Callable[[Tensor], Tensor], images: Images) -> Tensor:
        """The code (classes, width) that stands for each class.

        Args:
            encode: what is shown (N, ...) -> codes (N, width).
            images: the training data.
        """

    @abstractmethod
    def typical_codes(self, encode: Callable[[Tensor], Tensor], images: Images) -> Tensor:
        """Codes (P, width) as frequent as in the training data, which noise is drawn around."""

    @abstractmethod
    def noise(self, typical: Tensor, count: int, random: torch.Generator) -> Tensor:
        """Codes (count, width) that stand for no condition in particular."""
