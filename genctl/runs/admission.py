"""Whether a folder may become a run, a run may go on, or it is complete: asked before any work."""

from __future__ import annotations

from typing import Any

from genctl.config import config as configs
from genctl.config.config import Config
from genctl.common.errors import CannotCreate, ConfigError, Diverged, GenctlError
from genctl.common.reporting import Listener
from genctl.runs.run import Run


def require_own(run: Run) -> None:
    """Leave a folder alone that is no run, though it happens to hold a config.yaml."""
    if run.checkpoints.is_dir():
        return
    try:
        configs.load(str(run.config))
    except GenctlError:
        raise CannotCreate(
            f"cannot use {run}: its config.yaml is not one of genctl; choose another --name"
        ) from None


def _refuse_other_settings(run: Run, new: Config) -> None:
    """A run goes on with the settings that it began with."""
    changed = configs.differences(configs.load(str(run.config)), new)
    if changed:
        raise ConfigError(
            [f"{run.config}: this run has other settings; use --fresh or another --name"]
            + [f"{run.config}: {line}" for line in changed]
        )


def tell_other_budget(run: Run, new: Config, listener: Listener) -> None:
    """Say so if the budget of a run is another one now."""
    before, now = configs.load(str(run.config)).training.images, new.training.images
    if before == now:
        return
    listener.say(f"training.images goes from {before:,} to {now:,}")
    if new.optimizer.decay != "none":
        listener.warn(
            f"the learning rate followed a schedule that ended at {before:,} images; "
            "from here it follows the one for the new budget"
        )


def answered(
    run: Run, config: Config, max_time: float | None, listener: Listener
) -> dict[str, Any] | None:
    """The result of a run that has nothing left to do; nothing is written.

    Raises:
        ConfigError: the run has other settings.
        Diverged: it would do so again.
    """
    if run.exists:
        _refuse_other_settings(run, config)
    result = run.read_result()
    if result.get("status") == "diverged":
        error = Diverged(
            f"{run} diverged at {result.get('images', 0):,} images and would again; "
            "change its settings, or start it anew with --fresh"
        )
        error.result = result  # type: ignore[attr-defined]
        raise error
    if result.get("status") != "complete" or not run.model.exists():
        return None
    enough_images = result.get("images", 0) >= config.training.images
    spent = result.get("stopped_by") == "time" and max_time is not None
    enough_time = spent and (result.get("max_time") or 0) >= (max_time or 0)
    converged = result.get("stopped_by") == "patience"
    if not (enough_images or enough_time or converged):
        return None
    listener.say(f"{run} is already complete")
    return result
