"""A judge is trained once per data set and kept in the user's cache."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from genctl.common import tensors
from genctl.common.errors import BadContent, CannotCreate, MissingInput
from genctl.common.files import cache_folder, make_folder
from genctl.common.locks import waiting_lock
from genctl.common.reporting import Reporter
from genctl.common.weights import load_weights, prefixed, without_prefix
from genctl.data.base import Images
from genctl.evaluation import judge_training
from genctl.evaluation.fid import Gaussian, fit_gaussian
from genctl.evaluation.judge import (
    ComponentJudge,
    Judge,
    JudgeNetwork,
    SelfSupervisedJudge,
    classify,
)

VERSION = 1
"""Increased whenever judges are made differently: scores compare only within one version."""


def load_judge(
    train_images: Images, test_images: Images, device: torch.device, reporter: Reporter
) -> Judge:
    """Read the judge of a data set from the cache, or train it now.

    Other processes that need the same judge wait. A damaged file is replaced, with a
    warning. For stacked images it is the judge of their components.

    Args:
        train_images: what the judge is trained on.
        test_images: what its accuracy is measured on.
        device: where it computes.
        reporter: shows the progress of training.

    Raises:
        CannotCreate, WriteFailed: the cache cannot be written.
    """
    if train_images.components is not None:
        judge = load_judge(train_images.judge_images, test_images.judge_images, device, reporter)
        return ComponentJudge.of(judge, train_images.shape.channels)
    data_digest = train_images.digest()
    path = _judge_path(train_images, data_digest)
    _make_folder(path.parent)
    with waiting_lock(path.with_suffix(".lock"), reporter, "to train the judge"):
        try:
            return _read(path, train_images, data_digest, device)
        except MissingInput:
            pass
        except BadContent as error:
            reporter.warn(f"{error}; training the judge again")
        _train(path, train_images, test_images, data_digest, device, reporter)
        return _read(path, train_images, data_digest, device)


def has_judge(train_images: Images) -> bool:
    """Whether the cache holds the judge of these images."""
    images = train_images.judge_images
    return _judge_path(images, images.digest()).exists()


def judge_folder() -> Path:
    """The folder of all judges, which $GENCTL_CACHE moves."""
    return cache_folder() / "judges"


def has_classes(images: Images) -> bool:
    """Whether there is something to classify."""
    return len(images.classes) > 1


def _judge_path(images: Images, data_digest: str) -> Path:
    method = "" if has_classes(images) else f"-{SelfSupervisedJudge.features}"
    return judge_folder() / f"{data_digest[:16]}{method}-v{VERSION}.safetensors"


def _make_folder(path: Path) -> None:
    try:
        make_folder(path)
    except CannotCreate as error:
        reason = str(error).partition(";")[0]
        raise CannotCreate(f"{reason}; set GENCTL_CACHE to a folder for judges") from None


def _train(
    path: Path,
    train_images: Images,
    test_images: Images,
    data_digest: str,
    device: torch.device,
    reporter: Reporter,
) -> None:
    count = len(train_images)
    reporter.info(f"training the judge on {count:,} images, once for this data: {path}")
    on_progress = partial(reporter.progress, "training the judge")
    if has_classes(train_images):
        network = judge_training.train_classifier(train_images, device, on_progress)
        accuracy = judge_training.accuracy(network, test_images)
    else:
        network = judge_training.train_self_supervised(train_images, device, on_progress)
        accuracy = judge_training.recognition(network, test_images)
    training = fit_gaussian(classify(network, train_images.pixels).features)
    content = prefixed("network", network.state_dict())
    content |= {"mean": training.mean, "covariance": training.covariance}
    metadata = {
        "kind": "judge",
        "version": VERSION,
        "data": data_digest,
        "accuracy": accuracy,
    }
    if not has_classes(train_images):
        metadata["features"] = SelfSupervisedJudge.features
    tensors.write(path, content, metadata)


def _read(path: Path, images: Images, data_digest: str, device: torch.device) -> Judge:
    content, metadata, digest = tensors.read(path, "judge")
    tensors.require_finite(content, path)
    if metadata.get("version") != VERSION or metadata.get("data") != data_digest:
        raise BadContent(f"cannot use {path}: it is the judge of other images")
    kind = Judge if has_classes(images) else SelfSupervisedJudge
    if metadata.get("features", Judge.features) != kind.features:
        raise BadContent(f"cannot use {path}: it is a judge of another kind")
    outputs = len(images.classes) if has_classes(images) else judge_training.EMBEDDING_DIM
    with torch.random.fork_rng(devices=[]):  # initialization must not touch the global state
        network = JudgeNetwork(images.shape, outputs)
    load_weights(network, without_prefix("network", content), path)
    network.to(device).to(memory_format=torch.channels_last).eval().requires_grad_(False)
    training = Gaussian(content["mean"], content["covariance"])
    return kind(network, training, float(metadata["accuracy"]), digest, VERSION)
