"""What changes from step to step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from genctl.common import tensors
from genctl.common.errors import Diverged
from genctl.common.weights import prefixed
from genctl.config.optimizer import OptimizerSettings
from genctl.model import EMA, Model
from genctl.objectives.augment import AugmentState
from genctl.training.adam import Adam
from genctl.training.early_stopping import EarlyStopping
from genctl.training.running_means import RunningMeans


class State:
    """Networks, their EMA, optimizers, losses not yet logged, the best score, and counters."""

    def __init__(
        self, settings: OptimizerSettings, model: Model, augment: AugmentState | None = None
    ) -> None:
        self.model, self.augment = model, augment
        self.ema = EMA(model)
        self.optimizers = build_optimizers(settings, model)
        self.losses = RunningMeans()
        self.early_stopping = EarlyStopping()
        self.step = 0
        self.images = 0

    def tensors(self) -> dict[str, Tensor]:
        """The weights, their EMA and the optimizers' state; the names never change in a run."""
        content = prefixed("model", self.model.state_dict())
        content |= prefixed("ema", self.ema.model.state_dict())
        for role, optimizer in self.optimizers.items():
            content |= prefixed(f"optimizer.{role}", optimizer.state())
        if self.augment is not None:
            content |= prefixed("augment", self.augment.tensors())
        return content

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Afterwards all tensors hold, in the same memory, what they held before the block."""
        before = {name: tensor.clone() for name, tensor in self.tensors().items()}
        try:
            yield
        finally:
            for name, tensor in self.tensors().items():
                tensor.copy_(before[name])

    def require_finite(self) -> None:
        """Refuse to keep infinite values and NaN.

        Raises:
            Diverged: naming the first tensor that is not finite.
        """
        self.losses.require_finite()
        name = tensors.first_non_finite(self.tensors())
        if name:
            raise Diverged(f"diverged: {name} became infinite or NaN")


def build_optimizers(settings: OptimizerSettings, model: Model) -> dict[str, Adam]:
    """An optimizer for each role that has parameters."""
    parameters = {role: list(network.parameters()) for role, network in model.networks.items()}
    return {
        role: Adam(weights, settings.betas_of(role), settings.eps)
        for role, weights in parameters.items()
        if weights
    }
