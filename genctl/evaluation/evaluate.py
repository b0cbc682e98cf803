"""The work of ``genctl evaluate``: how good is a model, and how good could it be?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Literal

import torch
from torch import Tensor

from genctl.common.errors import UsageError
from genctl.common.files import atomic_write
from genctl.common.reporting import Reporter
from genctl.conditions.image import Image
from genctl.config.loading import load_data
from genctl.data.base import Images, Split
from genctl.evaluation.agreement import agreement, class_shares
from genctl.evaluation.cache import judge_of
from genctl.evaluation.cas import classification_accuracy
from genctl.evaluation.drawn import asks_for_a_class, choose, draw
from genctl.evaluation.modes import even_kl, modes
from genctl.evaluation.neighbours import K
from genctl.evaluation.real_reference import Bench, Scores
from genctl.evaluation.warnings import warnings
from genctl.inference import sampling
from genctl.inference.probe import linear_probe, nearest_neighbours
from genctl.runs.model_file import TrainedModel
from genctl.runs.run import Run

MAX_SAMPLES = 10_000  # that are drawn unless more are asked for
EACH = 10  # samples of one condition that are compared with each other
MAX_CONDITIONS = 200  # whose samples are
MAX_PROBED = 10_000  # training images whose codes are learned from


@dataclass(frozen=True)
class Question:
    """What to find out about a model."""

    n: int | None = None  # samples; None for one for each held-out image, up to a limit
    against: Split = "train"  # the real images to compare with
    features: Literal["judge", "inception"] = "judge"
    seeds: int = 3
    cas: bool = False


def evaluate(
    trained: TrainedModel, question: Question, device: torch.device, reporter: Reporter
) -> dict[str, Any]:
    """Measure a model, and what is real beside it.

    Returns:
        The JSON of the contract: run, model_sha256, judge, n, against, features, seeds, scores,
        real, std, per_class (share, closeness and agreement of each class), warnings; floor (what
        chance alone makes of a perfect generator) where modes are counted.

    Raises:
        UsageError: the data has no classes, or ``n`` is too small.
        Unavailable, BadContent, MissingInput: data or weights are not to be had.
    """
    data, held_out = load_data(trained.metadata.config)
    _check(trained, question, data, held_out)
    features = _eyes(question, device)
    judge = judge_of(data, held_out, device, reporter)
    count = len(held_out.judge_images)
    reporter.info(f"the judge names {judge.accuracy:.2%} of {count:,} held-out images")
    conditional = asks_for_a_class(trained.metadata.config.condition)
    reporter.progress("measuring real images", 0.0)
    most = MAX_SAMPLES if data.components is None else len(held_out)
    n = question.n or min(len(held_out), most)
    if n > len(held_out):
        reporter.warn(f"{n:,} samples stand beside {len(held_out):,} real images: that is all")
    bench = Bench(data, held_out, judge, n, question.against, conditional, features)
    reporter.progress("measuring real images", 1.0)
    found, by_class, shares = [], [], []
    for seed in range(question.seeds):
        reporter.progress("measuring samples", seed / question.seeds)
        scores, classes, drawn = _judge_samples(trained, bench, seed)
        found.append(scores)
        by_class.append(classes)
        shares.append(drawn)
    reporter.progress("measuring samples", 1.0)
    scores, real = _means(found), _known(bench.real)
    scores |= _probe(trained, data, held_out)
    if question.cas:
        scores["cas"] = classification_accuracy(trained.model, data, held_out, device, reporter)
        real["cas"] = judge.accuracy
    names = data.classes
    asked = class_shares(held_out.labels.cpu(), len(names))
    return {
        "run": str(trained.path.parent if _run_of(trained) else trained.path),
        "model_sha256": trained.digest,
        "judge": {"accuracy": judge.accuracy, "digest": judge.digest, "version": judge.version},
        "n": bench.n,
        "against": question.against,
        "features": question.features,
        "seeds": question.seeds,
        "scores": scores,
        "real": real,
        **({"floor": {"kl": even_kl(len(names), bench.n)}} if "kl" in scores else {}),
        "std": _deviations(found),
        "per_class": {
            name: {"scores": _means(parts[label] for parts in by_class), "real": reals}
            for label, (name, reals) in enumerate(zip(names, bench.real_by_class, strict=True))
        },
        "warnings": warnings(scores, real, asked, torch.stack(shares).mean(dim=0), names),
    }


def keep(result: dict[str, Any], trained: TrainedModel) -> Path | None:
    """Write evaluation.json beside the model of a run; a model file alone gets none."""
    run = _run_of(trained)
    if run is None:
        return None
    path = run.evaluation
    atomic_write(path, (json.dumps(result, indent=2) + "\n").encode())
    return path


def _run_of(trained: TrainedModel) -> Run | None:
    run = Run(trained.path.parent)
    return run if run.exists and run.model == trained.path else None


def _check(trained: TrainedModel, question: Question, data: Images, held_out: Images) -> None:
    if data.classes != trained.metadata.classes:
        raise UsageError(
            f"cannot evaluate {trained.path}: its data has the classes "
            f"{', '.join(data.classes) or 'none'}, it knows "
            f"{', '.join(trained.metadata.classes) or 'none'}; give it the data it was trained on"
        )
    least = K + 1
    if question.n is not None and question.n < least:
        raise UsageError(f"--n {question.n}: the {K} nearest neighbours need at least {least}")
    if min(len(data), len(held_out)) < least:
        raise UsageError(
            f"cannot evaluate {trained.path}: its data holds out {len(held_out)} images, at least "
            f"{least} are needed; set data.test_fraction higher"
        )
    if question.cas and not asks_for_a_class(trained.metadata.config.condition):
        raise UsageError(
            f"--cas: {trained.path} cannot be asked for a class; a config with "
            "`condition: {kind: image}` or `label` trains a model that can"
        )


def _eyes(question: Question, device: torch.device) -> Callable[[Tensor], Tensor] | None:
    """Other features than the judge's, if such are wanted."""
    if question.features == "judge":
        return None
    from genctl.evaluation.inception import inception

    return inception(device)


def _judge_samples(
    trained: TrainedModel, bench: Bench, seed: int
) -> tuple[Scores, list[Scores], Tensor]:
    """Scores altogether and by class of one seed, and the share of each class among its samples."""
    held_out, model = bench.held_out, trained.model
    index = choose(held_out, bench.n, "test")
    asked = held_out.labels[index].cpu() if bench.conditional else None
    cloud = bench.look(draw(model, held_out, index, seed), asked)
    scores, by_class = bench.closeness(cloud)
    scores |= modes(cloud.seen, bench.data)
    if asked is not None:
        scores["agreement"] = agreement(cloud.asked, cloud.seen)
    few = index[: min(MAX_CONDITIONS, max(bench.n // EACH, 1))]
    groups = bench.look(draw(model, held_out, few, seed, EACH)).features
    labels = held_out.labels[few].cpu()
    scores["diversity"] = bench.diversity(groups.unflatten(0, (len(few), EACH)), labels)
    scores["copies"] = bench.copies(cloud.pixels)
    return scores, by_class, class_shares(cloud.seen, bench.classes)


def _probe(trained: TrainedModel, data: Images, held_out: Images) -> Scores:
    """What the codes of an image encoder know of classes; not of combinations, rare as each is."""
    if not isinstance(trained.metadata.config.condition, Image) or data.components is not None:
        return {}
    index = choose(data, min(MAX_PROBED, len(data)), "probe")
    known = sampling.encode(trained.model, data.floats(index))
    new = sampling.encode(trained.model, held_out.floats(slice(None)))
    parts = (known, data.labels[index], new, held_out.labels)
    return {"linear_probe": linear_probe(*parts), "nearest_neighbours": nearest_neighbours(*parts)}


def _means(parts: Iterable[Scores]) -> Scores:
    listed = [_known(part) for part in parts]
    return {name: fmean(part[name] for part in listed if name in part) for name in _names(listed)}


def _deviations(parts: Iterable[Scores]) -> Scores:
    listed = [_known(part) for part in parts]
    return {
        name: stdev(part[name] for part in listed) if len(listed) > 1 else 0.0
        for name in _names(listed)
    }


def _known(scores: Scores) -> Scores:
    """The scores that are numbers: a data set of one image for each class has no diversity."""
    return {name: value for name, value in scores.items() if isfinite(value)}


def _names(parts: list[Scores]) -> list[str]:
    return list(dict.fromkeys(name for part in parts for name in part))
