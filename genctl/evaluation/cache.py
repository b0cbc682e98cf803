"""A judge is trained once for each data set and kept among the user's cached files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from genctl.common import tensors
from genctl.common.errors import BadContent, CannotCreate, MissingInput, UsageError
from genctl.common.files import make_folder
from genctl.common.reporting import Reporter
from genctl.common.weights import load_weights, prefixed, without_prefix
from genctl.data.base import Images
from genctl.evaluation import lessons
from genctl.evaluation.components import JudgeOfPlanes
from genctl.evaluation.fid import Gaussian, gaussian
from genctl.evaluation.judge import Judge, JudgeNetwork, look

VERSION = 1
"""Counts the ways in which judges were made; scores compare within one of them only."""


def judge_of(data: Images, held_out: Images, device: torch.device, reporter: Reporter) -> Judge:
    """The judge of a data set: from the cache, or trained now while others who want it wait.

    Images whose planes are images of their own are judged by the judge of those.

    Args:
        data: the training images, all of which it learns from.
        held_out: the images that its accuracy is measured on.
        device: where it shall look, and learn if it has to.
        reporter: told what is done, and warned of a damaged file.

    Raises:
        UsageError: the images have no classes to tell apart.
        CannotCreate, WriteFailed: the cache cannot be written to.
    """
    if data.components is not None:
        judge = judge_of(data.judge_images, held_out.judge_images, device, reporter)
        return JudgeOfPlanes.of(judge, data.shape.channels)
    if len(data.classes) < 2:
        raise UsageError(
            "cannot train a judge: the images have no classes; put them into one folder for each"
        )
    identity = data.digest()
    path = cache_path(identity)
    _make_folder(path.parent)
    with _alone(path.with_suffix(".lock"), reporter):
        try:
            return _read(path, data, identity, device)
        except MissingInput:
            pass  # the first to ask
        except BadContent as error:
            reporter.warn(f"{error}; training the judge again")
        _train(path, data, held_out, identity, device, reporter)
        return _read(path, data, identity, device)


def has_judge(data: Images) -> bool:
    """Whether the judge of these images is in the cache."""
    return cache_path(data.judge_images.digest()).exists()


def _make_folder(path: Path) -> None:
    try:
        make_folder(path)
    except CannotCreate as error:
        reason = str(error).partition(";")[0]
        raise CannotCreate(f"{reason}; set GENCTL_CACHE to a folder for judges") from None


@contextmanager
def _alone(path: Path, reporter: Reporter) -> Iterator[None]:
    """Let one process at a time in; the others wait for what it makes."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        reporter.info("waiting for another process that trains the judge")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def cache_path(identity: str) -> Path:
    """Where the judge of images of this digest is kept."""
    return cache_folder() / f"{identity[:16]}-v{VERSION}.safetensors"


def cache_folder() -> Path:
    """Where judges are kept; $GENCTL_CACHE moves it."""
    chosen = os.environ.get("GENCTL_CACHE")
    root = Path(chosen).expanduser() if chosen else user_cache_path("genctl")
    return root / "judges"


def _train(
    path: Path,
    data: Images,
    held_out: Images,
    identity: str,
    device: torch.device,
    reporter: Reporter,
) -> None:
    reporter.info(f"training the judge of these {len(data):,} images, once for all: {path}")
    network = lessons.teach(data, device, partial(reporter.progress, "training the judge"))
    training = gaussian(look(network, data.pixels).features)
    weights = prefixed("network", network.state_dict())
    content = weights | {"mean": training.mean, "covariance": training.covariance}
    accuracy = lessons.accuracy(network, held_out)
    metadata = {"kind": "judge", "version": VERSION, "data": identity, "accuracy": accuracy}
    tensors.write(path, content, metadata)


def _read(path: Path, data: Images, identity: str, device: torch.device) -> Judge:
    content, metadata, digest = tensors.read(path, "judge")
    tensors.require_finite(content, path)
    if metadata.get("version") != VERSION or metadata.get("data") != identity:
        raise BadContent(f"cannot use {path}: it is the judge of other images")
    with torch.random.fork_rng(devices=[]):  # its first weights are thrown away
        network = JudgeNetwork(data.shape, len(data.classes))
    load_weights(network, without_prefix("network", content), path)
    network.to(device).to(memory_format=torch.channels_last).eval().requires_grad_(False)
    training = Gaussian(content["mean"], content["covariance"])
    return Judge(network, training, float(metadata["accuracy"]), digest, VERSION)
