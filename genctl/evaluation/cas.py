"""The classification accuracy score: Ravuri and Vinyals 2019.

A classifier that has seen nothing but samples is examined on real images. It is taught as the
judge is, so the judge's own accuracy is what real images would reach.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch

from genctl.common.reporting import Reporter
from genctl.data.base import Images
from genctl.evaluation import lessons
from genctl.evaluation.components import unstacked
from genctl.evaluation.drawn import draw
from genctl.model import Model


def classification_accuracy(
    model: Model, data: Images, held_out: Images, device: torch.device, reporter: Reporter
) -> float:
    """Draw one sample for each training image, teach a classifier with them, and examine it."""
    reporter.info(f"drawing {len(data):,} samples to teach a classifier with")
    pixels = draw(model, data, torch.arange(len(data)), seed=0)
    drawn = replace(data, pixels=pixels)
    if data.components is not None:
        drawn = unstacked(drawn, data.components)
    progress = partial(reporter.progress, "teaching a classifier with samples")
    return lessons.accuracy(lessons.teach(drawn, device, progress), held_out.judge_images)
