"""Bringing the schedule of a running run to its end early, as ``genctl finish`` asks."""

from __future__ import annotations

import time

from genctl.common.errors import BadContent
from genctl.common.reporting import Reporter
from genctl.runs import early_end as early_ends
from genctl.runs.early_end import EarlyEnd
from genctl.runs.run import Run

INTERVAL = 0.5  # seconds between two looks at the file of the request
MARGIN = 0.95  # of the time is planned for, because a machine may become slower


class Finisher:
    """Looks for a request to finish, and knows the new end of the run once there is one.

    Args:
        run: the run directory, in which the new end is recorded before it has any effect.
        reporter: told about it.

    Raises:
        BadContent: the record of an earlier part of the run is damaged.
    """

    def __init__(self, run: Run, reporter: Reporter) -> None:
        self.run, self.reporter = run, reporter
        self.early_end = early_ends.read_early_end(run)
        self._has_warned = False
        self._next_look = time.monotonic()  # at once: a request may be older than this process

    def progress(self, images: int, scheduled: float) -> float:
        """The share of the run that is done, 0 to 1; ``scheduled`` without a request."""
        if self.early_end is None or images < self.early_end.images:
            return scheduled
        return self.early_end.progress_at(images)

    def requested_seconds(self) -> float | None:
        """Within how many seconds a run without a new end shall finish, if somebody asked."""
        now = time.monotonic()
        if self.early_end is not None or now < self._next_look:
            return None
        self._next_look = now + INTERVAL
        try:
            request = early_ends.read_request(self.run)
        except BadContent as error:
            if not self._has_warned:
                self.reporter.warn(str(error))
            self._has_warned = True
            return None
        return None if request is None else request.within

    def end_after(
        self, more: int, images_per_step: int, images: int, progress: float, within: float
    ) -> None:
        """End the run after some more images; recorded, so that a resumed run does the same.

        Args:
            more: how many; whole steps are taken, and at least one.
            images_per_step: images of each step.
            images: seen so far.
            progress: the share of the run that is done, 0 to 1.
            within: the seconds asked for.
        """
        end = images + max(more // images_per_step, 1) * images_per_step
        early_end = EarlyEnd(within, images, progress, end)
        early_ends.write_early_end(self.run, early_end)
        self.early_end = early_end
        self.reporter.info(
            f"asked to finish within {within:g} s: the schedule ends after {end - images:,} more "
            f"images, at {end:,}"
        )


def affordable_images(seconds: float, images_per_second: float, pause_per_image: float) -> int:
    """How many images can be trained on in some seconds.

    Args:
        seconds: the time.
        images_per_second: the rate of training.
        pause_per_image: seconds of scoring and saving for each image.
    """
    return int(max(seconds, 0) * MARGIN / (1 / images_per_second + pause_per_image))
