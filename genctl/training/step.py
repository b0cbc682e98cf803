"""One training step, as arithmetic on tensors.

Whatever differs from one step to the next is in its inputs, so that an engine may record a step
once and replay it with other inputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genctl.common.devices import autocast
from genctl.common.errors import ConfigError
from genctl.config.config import Config
from genctl.data.base import Images
from genctl.data.batch_noise import BatchNoise, copy_to_device
from genctl.objectives.augment import REAL_SIGN
from genctl.objectives.base import Terms, Update
from genctl.training.batches import Batches
from genctl.training.process_group import SINGLE_PROCESS, ProcessGroup
from genctl.training.state import State

AUGMENT = "critic/augment"
"""The strength of the critic's augmentation in a step."""


@dataclass(frozen=True)
class Position:
    """How far a run is when a step starts."""

    step: int  # steps taken before
    images: int  # images seen before
    progress: float  # share of the run that is done, 0 to 1


@dataclass(frozen=True)
class StepInputs:
    """All that differs from one step to the next, on the device."""

    schedule: Tensor  # float32: progress, weight of the EMA's update, learning rates
    indices: list[Tensor]  # (B,) int64 for each batch: which images it visits
    noise: list[BatchNoise]  # the random numbers of each batch


@dataclass(frozen=True)
class StepLosses:
    """The losses of all updates of a step."""

    names: tuple[str, ...]  # "update/term"; several times where an update is repeated
    values: Tensor  # one for each name


class Step:
    """Every update of the objective, then one update of the EMA."""

    def __init__(
        self,
        config: Config,
        state: State,
        images: Images,
        precision: str,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        training = config.training
        self.config, self.state, self.precision, self.group = config, state, precision, group
        rows = group.rows(training.batch_size)
        problems = config.condition.problems(training.batch_size // group.size)
        if problems:
            raise ConfigError([f"condition.{name}: {why}" for name, why in problems.items()])
        self.batches = Batches(
            images,
            config.condition,
            config.z_dim,
            training.batch_size,
            training.seed,
            rows,
        )
        self.device = images.device
        self.updates = config.objective.updates()
        self.num_batches = max(update.repeats for update in self.updates)
        self.images = training.batch_size * self.num_batches
        """Real images that one step uses."""

    def variant(self, position: Position) -> str:
        """The objective's variant; all steps of one variant do the same arithmetic."""
        return self.config.objective.variant(position.step)

    def positions(self, first: Position, count: int) -> list[Position]:
        """The positions of ``count`` steps from ``first`` on, all with its progress."""
        return [
            Position(first.step + number, first.images + number * self.images, first.progress)
            for number in range(count)
        ]

    def inputs(self, position: Position) -> StepInputs:
        """The inputs of the step at ``position``."""
        numbers = self._batch_numbers(position)
        return StepInputs(
            self._schedule(position).to(self.device),
            [self.batches.index(number).to(self.device) for number in numbers],
            [self.batches.noise(number) for number in numbers],
        )

    def refill(self, inputs: StepInputs, position: Position) -> None:
        """Overwrite ``inputs``, in place, with those of another position."""
        copy_to_device(self._schedule(position), inputs.schedule)
        numbers = self._batch_numbers(position)
        for number, index, noise in zip(numbers, inputs.indices, inputs.noise, strict=True):
            copy_to_device(self.batches.index(number), index)
            noise.advance(number)

    def compute(self, variant: str, inputs: StepInputs) -> StepLosses:
        """Take the step: for each batch encode, generate and update; then average the weights."""
        progress, ema_weight, *rates = inputs.schedule.unbind()
        learning_rates = dict(zip(self.state.optimizers, rates, strict=True))
        augment = self.state.augment
        strength = None if augment is None else augment.strength.clone()  # of the whole step
        losses: dict[str, list[Tensor]] = {}
        for number, (index, noise) in enumerate(zip(inputs.indices, inputs.noise, strict=True)):
            batch = self.batches.assemble(index, noise, variant, progress, strength)
            with autocast(self.precision, self.device):
                forward = self.config.objective.forward(self.state.model, batch)
            for update in self.updates:
                if number < self.num_batches - update.repeats:
                    continue  # an update that is repeated less often uses the last batches
                with autocast(self.precision, self.device):
                    terms = self.config.objective.terms(update, self.state.model, batch, forward)
                self._optimize(update, terms, learning_rates)
                for name, value in terms.items():
                    losses.setdefault(f"{update.name}/{name}", []).append(value.detach())
            for name, value in forward.measured.items():
                losses.setdefault(name, []).append(value)
        self.state.ema.update(self.state.model, ema_weight)
        names = tuple(name for name, values in losses.items() for _ in values)
        own = torch.stack([value for values in losses.values() for value in values])
        values = self.group.mean([own])[0]
        if augment is not None and strength is not None:
            signs = [value for name, value in zip(names, values, strict=True) if name == REAL_SIGN]
            augment.adapt(torch.stack(signs).mean(), self.images)
            names, values = (*names, AUGMENT), torch.cat([values, strength[None]])
        return StepLosses(names, values)

    def _optimize(self, update: Update, terms: Terms, learning_rates: dict[str, Tensor]) -> None:
        """One optimizer step that lowers the sum of ``terms``."""
        optimizers = {
            role: self.state.optimizers[role]
            for role in update.roles
            if role in self.state.optimizers
        }
        parameters = [
            weight for optimizer in optimizers.values() for weight in optimizer.parameters
        ]
        loss = torch.stack(list(terms.values())).sum()
        gradients = self.group.mean(torch.autograd.grad(loss, parameters, allow_unused=True))
        for role, optimizer in optimizers.items():
            count = len(optimizer.parameters)
            optimizer.step(gradients[:count], learning_rates[role])
            gradients = gradients[count:]

    def _batch_numbers(self, position: Position) -> range:
        first = position.step * self.num_batches
        return range(first, first + self.num_batches)

    def _schedule(self, position: Position) -> Tensor:
        """Progress, the weight of the EMA's update, and each optimizer's learning rate."""
        # Learning rates depend on the images seen before the step, the EMA on those after it.
        rate = self.config.optimizer.learning_rate_at
        rates = [rate(role, position.images, position.progress) for role in self.state.optimizers]
        seen = position.images + self.images
        ema_weight = self.config.training.ema_weight(seen, self.images)
        return torch.tensor([position.progress, ema_weight, *rates])
