"""One step of a run as arithmetic on tensors: nothing in it depends on how far the run has come
but through its inputs, so that an engine may record it once and replay it for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genctl.common.devices import autocast
from genctl.config.config import Config
from genctl.data.base import Images
from genctl.data.batch_noise import Draws, send
from genctl.objectives.base import Turn
from genctl.training.batches import Batch, Batches
from genctl.training.checkpoint import State
from genctl.training.process_group import ALONE, Peers


@dataclass(frozen=True)
class Moment:
    """How far a run has come when a step is taken."""

    step: int  # steps done before
    images: int  # images seen before
    progress: float  # share of the run that is done, 0 to 1


@dataclass(frozen=True)
class Inputs:
    """All that differs from one step to the next, on the device."""

    schedule: Tensor  # float32: progress, the new weights' share in the average, step sizes
    indices: list[Tensor]  # (B,) int64 for each batch: which images are shown
    draws: list[Draws]  # the random numbers of each batch


@dataclass(frozen=True)
class Terms:
    """What the turns of a step came to."""

    names: tuple[str, ...]  # "turn/term"; twice where a turn was taken twice
    values: Tensor  # one for each name


class Step:
    """Every turn of the objective once, then the average."""

    def __init__(
        self, config: Config, state: State, data: Images, precision: str, peers: Peers = ALONE
    ) -> None:
        training = config.training
        self.config, self.state, self.precision, self.peers = config, state, precision, peers
        self.batches = Batches(
            data,
            config.condition,
            config.networks.z_width,
            training.batch_size,
            training.seed,
            peers.rows(training.batch_size),
        )
        self.device = data.device
        self.turns = config.objective.turns()
        self.batch_count = max(turn.repeats for turn in self.turns)
        self.images = training.batch_size * self.batch_count

    def variant(self, moment: Moment) -> str:
        """Two steps of one variant do the same arithmetic."""
        return self.config.objective.variant(moment.step)

    def inputs(self, moment: Moment) -> Inputs:
        """What the step at ``moment`` works on."""
        numbers = self._numbers(moment)
        return Inputs(
            self._schedule(moment).to(self.device),
            [self.batches.index(number).to(self.device) for number in numbers],
            [self.batches.draws(number) for number in numbers],
        )

    def move_on(self, inputs: Inputs, moment: Moment) -> None:
        """Make of ``inputs`` those of another moment, in the memory that they lie in."""
        send(self._schedule(moment), inputs.schedule)
        numbers = self._numbers(moment)
        for number, index, draws in zip(numbers, inputs.indices, inputs.draws, strict=True):
            send(self.batches.index(number), index)
            draws.move_on(number)

    def compute(self, variant: str, inputs: Inputs) -> Terms:
        """Take the step."""
        progress, new_share, *step_sizes = inputs.schedule.unbind()
        rates = dict(zip(self.state.optimizers, step_sizes, strict=True))
        batches = [
            self.batches.compose(index, draws, variant, progress)
            for index, draws in zip(inputs.indices, inputs.draws, strict=True)
        ]
        terms: dict[str, list[Tensor]] = {}
        for turn in self.turns:
            for batch in batches[-turn.repeats :]:
                for name, value in self._play(turn, batch, rates).items():
                    terms.setdefault(f"{turn.name}/{name}", []).append(value.detach())
        self.state.average.update(self.state.model, new_share)
        names = tuple(name for name, values in terms.items() for _ in values)
        own = torch.stack([value for values in terms.values() for value in values])
        return Terms(names, self.peers.mean([own])[0])

    def _play(self, turn: Turn, batch: Batch, rates: dict[str, Tensor]) -> dict[str, Tensor]:
        """One optimizer step of the learners of ``turn``; what they lowered."""
        with autocast(self.precision, self.device):
            terms = self.config.objective.terms(turn, self.state.model, batch)
        learners = [role for role in turn.learners if role in self.state.optimizers]
        optimizers = [self.state.optimizers[role] for role in learners]
        parameters = [parameter for optimizer in optimizers for parameter in optimizer.parameters]
        loss = torch.stack(list(terms.values())).sum()
        gradients = self.peers.mean(torch.autograd.grad(loss, parameters, allow_unused=True))
        for role, optimizer in zip(learners, optimizers, strict=True):
            count = len(optimizer.parameters)
            optimizer.step(gradients[:count], rates[role])
            gradients = gradients[count:]
        return terms

    def _numbers(self, moment: Moment) -> range:
        """The numbers of the batches that a step plays with."""
        first = moment.step * self.batch_count
        return range(first, first + self.batch_count)

    def _schedule(self, moment: Moment) -> Tensor:
        """Progress, the new weights' share in the average and the step size of each optimizer."""
        # A rate follows the images seen, the average those that will have been seen.
        rate = self.config.optimizer.rate
        rates = [rate(role, moment.images, moment.progress) for role in self.state.optimizers]
        share = self.config.training.new_share(moment.images + self.images, self.images)
        return torch.tensor([moment.progress, share, *rates])
