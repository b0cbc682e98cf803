"""Everything that resuming needs, in one file: the state of a run between two steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, TypeAdapter, ValidationError
from torch import Tensor

from genctl.common import tensors
from genctl.common.errors import BadContent, Diverged, TooNew
from genctl.common.weights import load_weights, prefixed, require_fit, without_prefix
from genctl.config.config import Config
from genctl.model import Average, Model
from genctl.runs.run import Run
from genctl.training.adam import Adam
from genctl.training.early_stopping import Standing
from genctl.training.metrics import Meter


class State:
    """What changes from step to step."""

    def __init__(self, config: Config, model: Model) -> None:
        self.config = config
        self.model = model
        self.average = Average(model)
        built = {role: config.optimizer.build(role, net) for role, net in model.roles.items()}
        self.optimizers: dict[str, Adam] = {
            role: optimizer for role, optimizer in built.items() if optimizer is not None
        }
        self.meter = Meter()
        self.standing = Standing()
        self.step = 0
        self.images = 0

    def save(self, path: Path, facts: dict[str, Any]) -> None:
        """Write the state, whole or not at all.

        Raises:
            Diverged: it holds values that are not finite; nothing is written then.
        """
        self.require_finite()
        sums, counts = self.meter.state()
        content = self.learned() | prefixed("meter", sums)
        progress = {
            "step": self.step,
            "images": self.images,
            "meter": counts,
            "standing": asdict(self.standing),
        }
        tensors.write(path, content, {"kind": "checkpoint", **facts, **progress})

    def require_finite(self) -> None:
        """Refuse to keep what is no longer made of numbers.

        Raises:
            Diverged: naming the first tensor that is not finite.
        """
        self.meter.require_finite()
        name = tensors.first_infinite(self.learned())
        if name:
            raise Diverged(f"diverged: {name} became infinite or not a number")

    def load(self, path: Path) -> dict[str, Any]:
        """Take up a saved state.

        Returns:
            The facts that it was saved with.

        Raises:
            BadContent: the file is damaged or of another run; nothing was changed then.
        """
        content, facts, _ = tensors.read(path, "checkpoint")
        tensors.require_finite(content, path)
        sums = without_prefix("meter", content)
        learned = {name: value for name, value in content.items() if not name.startswith("meter.")}
        require_fit(self.learned(), learned, path)
        progress = _progress(facts, sums, path)
        load_weights(self.model, without_prefix("model", content), path)
        load_weights(self.average.model, without_prefix("average", content), path)
        for role, optimizer in self.optimizers.items():
            optimizer.restore(without_prefix(f"optimizer.{role}", content))
        device = next(self.model.parameters()).device
        self.meter.restore({name: value.to(device) for name, value in sums.items()}, progress.meter)
        self.standing = progress.standing
        self.step, self.images = progress.step, progress.images
        return facts

    def learned(self) -> dict[str, Tensor]:
        """Weights, their average and the optimizers' memory; the names never change in a run."""
        content = prefixed("model", self.model.state_dict())
        content |= prefixed("average", self.average.model.state_dict())
        for role, optimizer in self.optimizers.items():
            content |= prefixed(f"optimizer.{role}", optimizer.state())
        return content


@dataclass(frozen=True)
class Progress:
    """How far a run was, as its checkpoint says."""

    step: NonNegativeInt
    images: NonNegativeInt
    meter: dict[str, PositiveInt]
    standing: Standing
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    precision: Literal["fp32", "bf16"] | None = None


def _progress(facts: dict[str, Any], sums: dict[str, Tensor], path: Path) -> Progress:
    try:
        progress = TypeAdapter(Progress).validate_python(facts)
    except ValidationError:
        raise BadContent(
            f"cannot use {path}: it does not say how far the run was; delete it"
        ) from None
    fits = progress.meter.keys() == sums.keys()
    if not fits or not all(sum_.ndim == 0 and sum_.is_floating_point() for sum_ in sums.values()):
        raise BadContent(f"cannot use {path}: it does not say how far the run was; delete it")
    return progress


def resume(state: State, run: Run, warn: Callable[[str], None]) -> dict[str, Any]:
    """Take up the newest checkpoint that is whole; a damaged one is put aside with a warning.

    One that cannot be read, or only by a later version, is not damaged, and nothing is done.

    Returns:
        The facts of that checkpoint, or nothing where the run starts from the beginning.
    """
    for path in run.checkpoint_paths():
        try:
            return state.load(path)
        except TooNew:
            raise
        except BadContent as error:
            aside = path.with_suffix(".damaged")
            path.rename(aside)
            warn(f"{error}; kept as {aside.name}, going on from the checkpoint before it")
    return {}
