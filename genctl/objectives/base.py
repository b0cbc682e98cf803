"""The seam of an objective: which turns there are, who learns in each, and what each lowers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from genctl.common.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor, nn

    from genctl.model import Model
    from genctl.networks.base import Networks
    from genctl.training.batches import Batch

Terms = dict[str, "Tensor"]
"""Losses by name, each a scalar; what a turn lowers is their sum."""


@dataclass(frozen=True)
class Turn:
    """One optimizer step: which roles learn in it, and how often it is taken in a row.

    A step of a run draws as many batches as its most repeated turn needs; a turn that is repeated
    less often plays the last ones, and so may share work with the turn before it.
    """

    name: str
    learners: tuple[str, ...]
    repeats: int = 1


class Score:
    """The critic with the condition already applied; it is asked about each batch only once."""

    def __init__(self, critic: nn.Module, code: Tensor, classes: int) -> None:
        self.critic, self.code, self.classes = critic, code, classes
        self._verdicts: list[tuple[Tensor, Tensor]] = []  # images, what the critic said of them

    def __call__(self, images: Tensor) -> Tensor:
        """Scores (B,) of ``images`` (B, C, H, W): high is real."""
        return self._verdict(images)[:, 0]

    def each(self, *batches: Tensor) -> list[Tensor]:
        """The scores of several batches from one pass over all of them together."""
        import torch

        verdicts = self.critic(torch.cat(batches), self.code.repeat(len(batches), 1))
        self._verdicts += zip(batches, verdicts.chunk(len(batches)), strict=True)
        return [self(images) for images in batches]

    def constant(self, images: Tensor) -> Tensor:
        """Scores (B,) from which nobody learns."""
        import torch

        with torch.no_grad():
            return self(images)

    def class_logits(self, images: Tensor) -> Tensor:
        """The logits (B, classes) of what the critic takes ``images`` for."""
        return self._verdict(images)[:, 1:]

    def treat_alike(self, copies: Sequence[Tensor], originals: Sequence[Tensor]) -> None:
        """Answer for the originals what was answered for copies of them."""
        self._verdicts += [
            (original, self._verdict(copy))
            for copy, original in zip(copies, originals, strict=True)
        ]

    def _verdict(self, images: Tensor) -> Tensor:
        for known, verdict in self._verdicts:
            if known is images:
                return verdict
        self._verdicts.append((images, self.critic(images, self.code)))
        return self._verdicts[-1][1]


class Objective(Settings):
    """A game between the networks of a model."""

    kind: str

    roles: ClassVar[tuple[str, ...]]
    """The networks that the game needs besides the condition's encoder."""

    def problems(self, networks: Networks) -> dict[str, str]:
        """What speaks against a family of networks, by the name of the setting to change."""
        return {}

    def variant(self, step: int) -> str:
        """Which of the objective's formulas holds in ``step``.

        Two steps of one variant do the same arithmetic, so that an engine may record it.
        """
        return ""

    @abstractmethod
    def turns(self) -> tuple[Turn, ...]:
        """The turns of one step, in order."""

    @abstractmethod
    def terms(self, turn: Turn, model: Model, batch: Batch) -> Terms:
        """What the learners of ``turn`` lower on ``batch``, by name."""


class Adversarial(Objective):
    """A critic tells real from fake, a generator learns from it.

    A subclass writes the two formulas. Each receives the critic as a function and both batches
    of images (B, C, H, W) in about [-1, 1], so that it may score them, pair them, mix them or
    differentiate the score.
    """

    roles: ClassVar[tuple[str, ...]] = ("generator", "critic")

    @property
    def critic_turns(self) -> int:
        """How often the critic learns before the generator does."""
        return 1

    def turns(self) -> tuple[Turn, ...]:
        """The critic's turn, then the generator's; the encoder learns with the generator."""
        return (
            Turn("critic", ("critic",), self.critic_turns),
            Turn("generator", ("generator", "encoder")),
        )

    def terms(self, turn: Turn, model: Model, batch: Batch) -> Terms:
        """The formula of the one whose turn it is, with what the condition adds to it."""
        codes = batch.once("codes", lambda: model.codes(batch))
        fake = batch.once("fake", lambda: model.generate(batch.noise, codes.generator))
        score = Score(model.critic, codes.critic, model.critic_classes)
        if turn.name == "critic":
            terms = self.critic_terms(score, batch.real, fake.detach(), batch)
            return terms | model.condition.critic_terms(score, batch)
        with model.frozen("critic"):
            return self.generator_terms(score, batch.real, fake, batch) | codes.terms

    @abstractmethod
    def critic_terms(self, score: Score, real: Tensor, fake: Tensor, batch: Batch) -> Terms:
        """What the critic lowers."""

    @abstractmethod
    def generator_terms(self, score: Score, real: Tensor, fake: Tensor, batch: Batch) -> Terms:
        """What the generator lowers."""
