"""What ``train`` does with an existing run directory: refuse it, continue, or report completion."""

from __future__ import annotations

from typing import Any

from genctl.common.errors import CannotCreate, ConfigError, Diverged, GenctlError
from genctl.common.reporting import Reporter
from genctl.config import config as configs
from genctl.config.config import Config
from genctl.runs.run import Run


def require_genctl_run(run: Run) -> None:
    """Refuse a folder that holds a config.yaml of another program.

    Raises:
        CannotCreate: the config is not one of genctl.
    """
    if run.checkpoints.is_dir():
        return
    try:
        configs.load(str(run.config))
    except GenctlError:
        raise CannotCreate(
            f"cannot use {run}: its config.yaml was not written by genctl; choose another --name"
        ) from None


def settled_result(
    run: Run, config: Config, max_time: float | None, pause_at: int | None = None
) -> dict[str, Any] | None:
    """The result of a run that is complete, or paused after enough images; None. Writes nothing.

    Raises:
        ConfigError: the run has other settings.
        Diverged: the run diverged.
    """
    if run.exists:
        _require_same_settings(run, config)
    result = run.read_result()
    if result.get("status") == "diverged":
        error = Diverged(
            f"cannot continue {run}: it diverged at {result.get('images', 0):,} images and would "
            "again; change its settings, or start it again with --fresh"
        )
        error.result = result
        raise error
    if pause_at is not None and result.get("stopped_by") == "pause":
        return result if result.get("images", 0) >= pause_at else None
    if result.get("status") != "complete" or not run.model.exists():
        return None
    enough_images = result.get("images", 0) >= config.training.images
    stopped_by_time = result.get("stopped_by") == "time" and max_time is not None
    enough_time = stopped_by_time and (result.get("max_time") or 0) >= (max_time or 0)
    converged = result.get("stopped_by") == "patience"
    finished = result.get("stopped_by") == "finish" and not _is_raised(run, config, max_time)
    return result if enough_images or enough_time or converged or finished else None


def _is_raised(run: Run, config: Config, max_time: float | None) -> bool:
    """Whether a complete run is given more images or time than it had before."""
    if not run.exists:
        return False
    images = configs.load(str(run.config)).training.images
    seconds = run.read_result().get("max_time") or float("inf")
    return config.training.images > images or (max_time or float("inf")) > seconds


def report_new_budget(run: Run, new: Config, reporter: Reporter) -> None:
    """Report it if ``training.images`` differs from that of the run so far."""
    before, now = configs.load(str(run.config)).training.images, new.training.images
    if before == now:
        return
    reporter.info(f"training.images changes from {before:,} to {now:,}")
    if new.optimizer.schedule != "none":
        reporter.warn(
            f"the learning rate has followed a schedule that ends at {before:,} images; "
            "from now on it follows the schedule of the new budget"
        )


def _require_same_settings(run: Run, new: Config) -> None:
    changed = configs.differences(configs.load(str(run.config)), new)
    if changed:
        raise ConfigError(
            [f"{run.config}: this run has other settings; use --fresh or another --name"]
            + [f"{run.config}: {line}" for line in changed]
        )
