"""Everything that resuming needs, in one file: the state of a run between two steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from genctl import tensors
from genctl.adam import Adam
from genctl.config import Config
from genctl.errors import BadContent, Diverged, GenctlError
from genctl.meter import Meter
from genctl.model import Average, Model
from genctl.run import Run
from genctl.weights import load_weights, prefixed, without_prefix


class State:
    """What changes from step to step."""

    def __init__(self, config: Config, model: Model) -> None:
        self.config = config
        self.model = model
        self.average = Average(model)
        built = {role: config.optimizer.build(net) for role, net in model.roles.items()}
        self.optimizers: dict[str, Adam] = {
            role: optimizer for role, optimizer in built.items() if optimizer is not None
        }
        self.meter = Meter()
        self.step = 0
        self.images = 0

    def save(self, path: Path, facts: dict[str, Any]) -> None:
        """Write the state, whole or not at all.

        Raises:
            Diverged: it holds values that are not finite; nothing is written then.
        """
        sums, counts = self.meter.state()
        content = prefixed("model", self.model.state_dict())
        content |= prefixed("average", self.average.model.state_dict())
        content |= prefixed("meter", sums)
        for role, optimizer in self.optimizers.items():
            content |= prefixed(f"optimizer.{role}", optimizer.state())
        try:
            tensors.require_finite(content, path)
        except BadContent as error:
            raise Diverged(f"diverged: {error}") from None
        progress = {"step": self.step, "images": self.images, "meter": counts}
        tensors.write(path, content, {"kind": "checkpoint", **facts, **progress})

    def load(self, path: Path) -> dict[str, Any]:
        """Take up a saved state.

        Returns:
            The facts that it was saved with.

        Raises:
            BadContent: the file is damaged or of another run; nothing was changed then.
        """
        content, facts, _ = tensors.read(path, "checkpoint")
        tensors.require_finite(content, path)
        load_weights(self.model, without_prefix("model", content), path)
        load_weights(self.average.model, without_prefix("average", content), path)
        for role, optimizer in self.optimizers.items():
            optimizer.restore(without_prefix(f"optimizer.{role}", content))
        self.meter.restore(without_prefix("meter", content), facts["meter"])
        self.step, self.images = facts["step"], facts["images"]
        return facts


def resume(state: State, run: Run, warn: Callable[[str], None]) -> dict[str, Any]:
    """Take up the newest checkpoint that is whole; a damaged one is put aside with a warning.

    Returns:
        The facts of that checkpoint, or nothing where the run starts from the beginning.
    """
    for path in run.checkpoint_paths():
        try:
            return state.load(path)
        except GenctlError as error:
            aside = path.with_suffix(".damaged")
            path.rename(aside)
            warn(f"{error}; kept as {aside.name}, going on from the checkpoint before it")
    return {}
