"""How a sweep ends: its exit code, and what it tells about runs that did not complete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from genctl.common.errors import GenctlError
from genctl.sweeps.records import DONE, Record

DIVERGED, RUN_AGAIN = 3, 75


class SweepIncomplete(GenctlError):
    """Not all runs of a sweep came to a good end."""

    def __init__(self, message: str, exit_code: int, result: dict[str, Any]) -> None:
        super().__init__(message)
        self.exit_code, self.result = exit_code, result


def require_complete(records: Sequence[Record], result: dict[str, Any]) -> None:
    """Raise unless each run completed, was left behind by better ones, or diverged.

    Raises:
        SweepIncomplete: with 75 if the same command may complete the sweep; else with the exit code
            of the first run that failed; with 3 if all diverged.
    """
    unfinished = [record for record in records if record.status == "unfinished"]
    failed = [record for record in records if record.status == "failed"]
    diverged = [record for record in records if record.status == "diverged"]
    if unfinished:
        why, code, first = "were not finished", RUN_AGAIN, unfinished[0]
        advice = "run the same command again"
    elif failed:
        why, code, first = "failed", failed[0].exit_code, failed[0]
        advice = "when that is corrected, run the same command again"
    elif diverged and not any(record.status in DONE for record in records):
        why, code, first = "diverged", DIVERGED, diverged[0]
        advice = "choose other settings"
    else:
        return
    count = sum(record.status == first.status for record in records)
    raise SweepIncomplete(
        f"{count} of {len(records)} runs of the sweep {why}, {first.run or 'the first'}: "
        f"{first.error}; {advice}",
        code,
        result,
    )
