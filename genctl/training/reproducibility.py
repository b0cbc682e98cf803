"""Recording what a run depends on, and noticing when a resumed run cannot be bit-exact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from genctl.common.cpu_load import is_overloaded
from genctl.common.errors import ConfigError
from genctl.common.reporting import Reporter
from genctl.data.base import Images
from genctl.evaluation.scorer import Scorer
from genctl.runs import environment
from genctl.runs.run import Run
from genctl.training.engines.choice import FallbackEngine
from genctl.training.threads import ThreadChoice

if TYPE_CHECKING:
    from genctl.training.trainer import Trainer


def record_environment(
    run: Run,
    device: torch.device,
    precision: str,
    images: Images,
    parameters: dict[str, int],
    processes: int,
    deterministic: bool,
    threads: ThreadChoice,
    before: dict[str, Any],
    reporter: Reporter,
) -> None:
    """Write environment.json, with a warning if a resumed run began in another environment.

    Args:
        run: the run.
        device: what it computes on.
        precision: "fp32" or "bf16".
        images: the training images.
        parameters: the number of parameters of each role.
        processes: how many train together.
        deterministic: ``training.deterministic``.
        threads: with how many it computes, and why.
        before: environment.json of the part of the run that is resumed, or nothing.
        reporter: receives the warning.

    Raises:
        ConfigError: a resumed run began with other images.
    """
    now = environment.describe(device, precision, images, parameters, processes, deterministic)
    if before:
        if before.get("data") != now["data"]:
            raise ConfigError(
                [f"{run}: its images are not those it began with; use --fresh, or restore them"]
            )
        changed = environment.changes(before, now)
        now |= {key: before[key] for key in ("judge", "scoring", "thread_rates") if key in before}
        now["bit_exact"] = (
            before.get("bit_exact", True) and not changed and bool(now["deterministic"])
        )
        if not now["deterministic"]:
            reporter.info(
                f"on {device.type} a resumed run may differ in its last bits; "
                "training.deterministic: true avoids that"
            )
        if changed:
            reporter.warn(
                f"resumed in another environment ({'; '.join(changed)}): the result will not "
                "be bit for bit that of an uninterrupted run"
            )
    if threads.rates:
        now["thread_rates"] = {str(number): rate for number, rate in threads.rates.items()}
    elif is_overloaded(device):
        reporter.info(
            f"this machine is busy, and the run uses {threads}: with training.threads: 1 it may be "
            "many times faster, but end with other bits"
        )
    run.write_environment(now)


def prove_engine(run: Run, trainer: Trainer, before: dict[str, Any], reporter: Reporter) -> None:
    """Check an automatically chosen engine, unless it was checked here before; record the engine.

    Args:
        run: the run, whose environment.json was written.
        trainer: about to take its first step.
        before: environment.json of the part of the run that is resumed, or nothing.
        reporter: receives a warning if the engine changed.
    """
    engine, now = trainer.engine, run.read_environment()
    was_proven = before.get("engine") == engine.kind and not environment.changes(before, now)
    if isinstance(engine, FallbackEngine) and not was_proven:
        engine.prove(trainer.position(progress=0.0))
    now["engine"] = engine.kind
    if before.get("engine", engine.kind) != engine.kind:
        now["bit_exact"] = False
        reporter.warn(
            f"resumed with the engine {engine.kind} after {before['engine']}: the result may not "
            "be bit for bit that of an uninterrupted run"
        )
    run.write_environment(now)


def record_scorer(run: Run, scorer: Scorer) -> None:
    """Add to environment.json what the scores of the run depend on, and those of real images."""
    judge = scorer.judge
    run.write_environment(
        run.read_environment()
        | {
            "judge": {
                "accuracy": judge.accuracy,
                "digest": judge.digest,
                "version": judge.version,
            },
            # With the names that evaluation.json has for the same.
            "scoring": {
                "n": len(scorer.index),
                "against": "train",
                "features": judge.features,
                "real": scorer.real_scores,
            },
        }
    )
