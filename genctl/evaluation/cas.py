"""The classification accuracy score (CAS): Ravuri and Vinyals 2019.

A classifier is trained on samples alone, and tested on real images. It is trained like the judge,
so the judge's accuracy is the score of real training images.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch

from genctl.common.reporting import Reporter
from genctl.data.base import Images
from genctl.evaluation.judge import unstack
from genctl.evaluation.judge_training import accuracy, train_classifier
from genctl.evaluation.protocol import sample
from genctl.model import Model


def classification_accuracy_score(
    model: Model,
    train_images: Images,
    test_images: Images,
    device: torch.device,
    reporter: Reporter,
) -> float:
    """Train a classifier on one sample for each training image; its accuracy on test images."""
    reporter.info(f"generating {len(train_images):,} samples to train a classifier on")
    pixels = sample(model, train_images, torch.arange(len(train_images)), seed=0)
    samples = replace(train_images, pixels=pixels)
    if train_images.components is not None:
        samples = unstack(samples, train_images.components)
    on_progress = partial(reporter.progress, "training a classifier on samples")
    return accuracy(train_classifier(samples, device, on_progress), test_images.judge_images)
