"""MeanFlow: Geng et al. 2025, arXiv 2505.13447; a flow that takes one step from noise to images.

On the way x_t = (1 - t) x + t e from an image x to noise e, the network learns the average
velocity u(x_t, r, t) between two times, so that x = e - u(e, 0, 1). Where r = t, that is the
velocity of flow matching, whose target is e - x. For r < t there are two ways to learn it:

- `improved`: u + (t - r) du/dt is the velocity at t, with du/dt along the velocity that the network
  itself predicts: Geng et al. 2025 (Improved Mean Flows), arXiv 2512.02012;
- `split`: a way is as long as its two parts: Guo et al. 2025 (SplitMeanFlow), arXiv 2507.16884.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from genctl.objectives.base import ForwardPass, Objective, Terms, Update

if TYPE_CHECKING:
    from torch import Tensor, nn

    from genctl.conditions.base import Condition
    from genctl.data.base import Shape
    from genctl.data.batch import Batch
    from genctl.model import Model
    from genctl.networks.base import Networks


class MeanFlow(Objective):
    """The generator learns average velocities."""

    kind: Literal["meanflow"] = "meanflow"
    form: Literal["improved", "split"] = "improved"
    """How velocities over an interval are learned: `improved` differentiates the network, `split`
    only evaluates it."""
    interval_every: int = Field(default=4, ge=2, le=64)
    """Every n-th image of a batch trains the velocity over an interval, the others that of one
    moment."""
    time_mean: float = Field(default=-0.4, ge=-10, le=10)
    """Times are the sigmoid of a normal distribution with this mean."""
    time_std: float = Field(default=2.0, gt=0, le=10)
    """Standard deviation of the same distribution. With 1, as in the papers, times near 0 and 1,
    between which a single pass goes, are so rare that short runs do not learn them."""
    guidance: float = Field(default=1.0, ge=1, le=20)
    """Learn a flow that obeys its condition this many times as much; 1 is the data as it is."""
    condition_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of images that are learned without their condition, which guidance needs."""
    weight_power: float | None = Field(default=None, ge=0, le=2)
    """The error of an image is divided by this power of itself; 0 is the plain squared error. null
    means 1 for `improved`, and 0 for `split`, whose small errors would drown the others."""
    weight_eps: float = Field(default=1e-3, gt=0, le=1e6)
    """Added to the mean squared error of an image before."""

    roles: ClassVar[tuple[str, ...]] = ("generator",)
    takes_steps: ClassVar[bool] = True

    def problems(self, networks: Networks, condition: Condition, shape: Shape) -> dict[str, str]:
        """Refuse networks that predict no velocity, and guidance that has nothing to compare."""
        if not networks.predicts_velocity:
            return {"networks.kind": "objective.kind meanflow needs unet"}
        if self.guidance != 1 and not condition.code_dim:
            return {"objective.guidance": "needs a condition, or must be 1"}
        if self.guidance != 1 and not self.condition_dropout:
            return {"objective.condition_dropout": "must be above 0 if there is guidance"}
        return {}

    def updates(self) -> tuple[Update, ...]:
        """One update of both networks."""
        return (Update("flow", ("generator", "encoder")),)

    def forward(self, model: Model, batch: Batch) -> ForwardPass:
        """The codes, the images at the earlier time, and the loss."""
        codes = model.codes(batch)
        dropped = batch.noise.uniform("dropout", 1) < self.condition_dropout
        code = codes.generator.masked_fill(dropped, 0.0)
        velocity = batch.z.view_as(batch.real) - batch.real
        r, t = self.times(batch)
        x = batch.real + _column(t) * velocity
        flow = Flow(model.networks["generator"], code)
        target = self.target(flow, x, r, t, self.guided(flow, x, t, velocity, dropped), batch)
        predicted = flow(x, r, t)
        loss = self.weighted_error(predicted - target)
        images = x - _column(t - r) * predicted.detach()
        return ForwardPass(codes, images, {"velocity": loss})

    def terms(self, update: Update, model: Model, batch: Batch, forward: ForwardPass) -> Terms:
        """The weighted squared error of the velocity, and the encoder's own losses."""
        return forward.terms | forward.codes.terms

    def times(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The times r and t, each (B,), with r <= t; r = t where no interval is learned."""
        both = (self.time_mean + self.time_std * batch.noise.normal("times", 2)).sigmoid()
        t = both.amax(1)
        r = t.clone()
        r[self._intervals] = both.amin(1)[self._intervals]
        return r, t

    def guided(self, flow: Flow, x: Tensor, t: Tensor, velocity: Tensor, dropped: Tensor) -> Tensor:
        """w v + (1 - w) u(x, t, t) without the condition, for the images that have one.

        Geng et al. 2025 (MeanFlow), section 4.2: the flow that is learned is the guided one, so
        sampling takes no second pass.
        """
        import torch

        if self.guidance == 1:
            return velocity
        with torch.no_grad():
            unconditional = flow.without_condition()(x, t, t)
        return torch.where(
            _column(dropped[:, 0]), velocity, torch.lerp(unconditional, velocity, self.guidance)
        )

    def target(
        self, flow: Flow, x: Tensor, r: Tensor, t: Tensor, velocity: Tensor, batch: Batch
    ) -> Tensor:
        """What u(x, r, t) is to become, (B, C, H, W), no gradient."""
        import torch

        rows = self._intervals
        with torch.no_grad():
            part = Flow(flow.network, flow.code[rows])
            if self.form == "split":
                share = batch.noise.uniform("split")[rows]
                over_interval = part.split(x[rows], r[rows], t[rows], share)
            else:
                over_interval = part.differentiated(x[rows], r[rows], t[rows], velocity[rows])
            target = velocity.clone()
            target[rows] = over_interval
            return target

    def weighted_error(self, error: Tensor) -> Tensor:
        """The squared error of each image, divided by a power of itself; the mean ()."""
        power = self.weight_power
        if power is None:
            power = 1.0 if self.form == "improved" else 0.0
        squared = error.square().mean(dim=(1, 2, 3))
        return (squared * (squared.detach() + self.weight_eps) ** -power).mean()

    @property
    def _intervals(self) -> slice:
        """The rows of a batch that learn an interval."""
        return slice(None, None, self.interval_every)


@dataclass(frozen=True)
class Flow:
    """The network, given the codes of a batch."""

    network: nn.Module
    code: Tensor  # (B, code_dim)

    def __call__(self, x: Tensor, r: Tensor, t: Tensor) -> Tensor:
        """The average velocity u(x, r, t), (B, C, H, W), from the times r to t, each (B,)."""
        velocity: Tensor = self.network.velocity(x, r, t, self.code)  # type: ignore[operator]
        return velocity

    def without_condition(self) -> Flow:
        """The flow for codes of zeros, which stand for no condition."""
        return Flow(self.network, self.code * 0)

    def split(self, x: Tensor, r: Tensor, t: Tensor, share: Tensor) -> Tensor:
        """The velocity from r to t as that of two parts, of which the later has ``share`` (B,)."""
        s = t + share * (r - t)
        later = self(x, s, t)
        earlier = self(x - _column(t - s) * later, r, s)
        return earlier + _column(share) * (later - earlier)

    def differentiated(self, x: Tensor, r: Tensor, t: Tensor, velocity: Tensor) -> Tensor:
        """v - (t - r) du/dt, with du/dt along the velocity that the network predicts at t."""
        import torch

        with warnings.catch_warnings():  # torch warns about its own code
            warnings.simplefilter("ignore", FutureWarning)
            along = (self(x, t, t), torch.zeros_like(r), torch.ones_like(t))
            derivative: Tensor = torch.func.jvp(self.__call__, (x, r, t), along)[1]
        return velocity - _column(t - r) * derivative


def _column(values: Tensor) -> Tensor:
    """(B,) as (B, 1, 1, 1), to be multiplied with images."""
    return values[:, None, None, None]
