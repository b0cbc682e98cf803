"""Recording what a run depends on, and noticing when a resumed run cannot be bit-exact."""

import torch

from genctl.common.cpu_load import is_overloaded
from genctl.common.errors import ConfigError
from genctl.common.reporting import Reporter
from genctl.data.base import Images
from genctl.runs import environment
from genctl.runs.run import Run


def record_environment(
    run: Run,
    device: torch.device,
    precision: str,
    images: Images,
    processes: int,
    is_resumed: bool,
    reporter: Reporter,
) -> None:
    """Write environment.json, with a warning if a resumed run began in another environment.

    Raises:
        ConfigError: a resumed run began with other images.
    """
    now = environment.describe(device, precision, images, processes)
    before = run.read_environment() if is_resumed else {}
    if before:
        if before.get("data") != now["data"]:
            raise ConfigError(
                [f"{run}: its images are not those it began with; use --fresh, or restore them"]
            )
        changed = environment.changes(before, now)
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
