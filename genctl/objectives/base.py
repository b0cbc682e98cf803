"""The interface of an objective: which updates make up a step, and which losses each minimizes."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from genctl.common.settings import Settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from genctl.conditions.base import Codes, Condition
    from genctl.data.base import Shape
    from genctl.data.batch import Batch
    from genctl.model import Model
    from genctl.networks.base import Networks
    from genctl.objectives.augment import AugmentState

Terms = dict[str, "Tensor"]
"""Losses by name, each a scalar; an update minimizes their sum."""


@dataclass(frozen=True)
class Update:
    """One optimizer step.

    A step of a run draws as many batches as its most repeated update needs; an update that is
    repeated less often is computed on the last of them.
    """

    name: str
    roles: tuple[str, ...]  # whose weights change
    repeats: int = 1


@dataclass(frozen=True)
class ForwardPass:
    """The codes and images of a batch, which all updates on that batch share."""

    codes: Codes
    images: Tensor  # (B, C, H, W) in about [-1, 1]: the generated images
    terms: Terms = field(default_factory=dict)  # losses computed on the way
    measured: Terms = field(default_factory=dict)  # "update/value", logged beside the losses


class Objective(Settings):
    """What the networks of a model are trained to do."""

    kind: str

    roles: ClassVar[tuple[str, ...]]
    """The networks that the objective needs besides the condition's encoder."""

    takes_steps: ClassVar[bool] = False
    """Whether its generators can go from noise to images in several steps."""

    own_roles: ClassVar[tuple[str, ...]] = ()
    """Networks that the objective itself builds, to keep what it remembers from step to step."""

    def build_role(self, role: str, z_dim: int, shape: Shape) -> nn.Module:
        """The network of one of ``own_roles``."""
        raise NotImplementedError(role)

    def problems(self, networks: Networks, condition: Condition, shape: Shape) -> dict[str, str]:
        """Why networks or condition do not fit, by the path of the setting to change."""
        return {}

    def critic_classes(self, num_classes: int) -> int:
        """How many classes the critic learns to tell apart."""
        return 0

    def augment_state(self, num_images: int, device: torch.device) -> AugmentState | None:
        """How the critic's images are augmented in a run on so many pictures; None if not."""
        return None

    def variant(self, step: int) -> str:
        """Which variant of the formulas ``step`` uses.

        All steps of one variant do the same arithmetic, so that an engine can record and replay it.
        """
        return ""

    @abstractmethod
    def updates(self) -> tuple[Update, ...]:
        """The updates of one step, in order."""

    def forward(self, model: Model, batch: Batch) -> ForwardPass:
        """Encode the batch's condition, and generate an image for each row from noise."""
        codes = model.codes(batch)
        return ForwardPass(codes, model.generate(batch.z, codes.generator))

    @abstractmethod
    def terms(self, update: Update, model: Model, batch: Batch, forward: ForwardPass) -> Terms:
        """The losses that ``update`` minimizes on ``batch``, by name."""
