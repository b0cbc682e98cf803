"""Recording what a run depends on, and noticing when a resumed run cannot be bit-exact."""

import torch

from genctl.common.cpu_load import is_overloaded
from genctl.common.errors import ConfigError
from genctl.common.reporting import Reporter
from genctl.data.base import Images
from genctl.evaluation.scorer import Scorer
from genctl.runs import environment
from genctl.runs.run import Run


def record_environment(
    run: Run,
    device: torch.device,
    precision: str,
    images: Images,
    parameters: dict[str, int],
    processes: int,
    is_resumed: bool,
    reporter: Reporter,
) -> None:
    """Write environment.json, with a warning if a resumed run began in another environment.

    Raises:
        ConfigError: a resumed run began with other images.
    """
    now = environment.describe(device, precision, images, parameters, processes)
    before = run.read_environment() if is_resumed else {}
    if before:
        if before.get("data") != now["data"]:
            raise ConfigError(
                [f"{run}: its images are not those it began with; use --fresh, or restore them"]
            )
        changed = environment.changes(before, now)
        now |= {key: before[key] for key in ("judge", "scoring") if key in before}
        now["bit_exact"] = before.get("bit_exact", True) and not changed
        if changed:
            reporter.warn(
                f"resumed in another environment ({'; '.join(changed)}): the result will not "
                "be bit for bit that of an uninterrupted run"
            )
    if is_overloaded(device):
        reporter.info(
            "this machine is busy: with OMP_NUM_THREADS=1 training may be many times faster"
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
                "features": "judge",
                "real": scorer.real_scores,
            },
        }
    )
