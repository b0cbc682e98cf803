"""The work of ``genctl evaluate``: the scores of a model, next to those of real images."""

from __future__ import annotations

import json
from collections.abc import Iterable
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
from genctl.evaluation.cas import classification_accuracy_score
from genctl.evaluation.judge_cache import has_classes, load_judge
from genctl.evaluation.neighbours import K
from genctl.evaluation.obedience import Obedience
from genctl.evaluation.protocol import is_conditional, random_indices, sample, sample_kinds
from genctl.evaluation.real_reference import Extractor, RealReference, Scores
from genctl.evaluation.scores import agreement, class_shares, expected_kl, mode_scores
from genctl.evaluation.warnings import warnings
from genctl.inference import sampling
from genctl.inference.probe import linear_probe, nearest_neighbours
from genctl.runs.model_file import TrainedModel
from genctl.runs.run import Run

MIN_IMAGES = K + 1
DEFAULT_MAX_SAMPLES = 10_000
SAMPLES_PER_CONDITION = 10  # for diversity
MAX_CONDITIONS = 200  # for diversity
MAX_PROBE_IMAGES = 10_000  # training images whose codes the probe is fitted to


@dataclass(frozen=True)
class EvaluationOptions:
    """The options of ``genctl evaluate``."""

    n: int | None = None  # samples; by default one per test image, at most 10,000
    against: Split = "train"  # the real images to compare with
    features: Literal["judge", "inception"] = "judge"
    seeds: int = 3  # of sampling
    cas: bool = False


def evaluate_model(
    trained: TrainedModel, options: EvaluationOptions, device: torch.device, reporter: Reporter
) -> dict[str, Any]:
    """Score a model, and real images in the same way.

    Returns:
        The JSON of the command: run, model_sha256, judge (accuracy, digest, version), n, against,
        features, seeds, scores and their std over seeds, real (the scores of real images),
        per_class (scores and real of each class), warnings; for stacked images also floor (the
        scores that a perfect generator is expected to have with n samples), and for captions about
        strokes chance (the scores of drawings that obey the class alone).

    Raises:
        UsageError: the data has too few images, or an option does not fit.
        Unavailable, BadContent, MissingInput: data or weights cannot be loaded.
    """
    train_images, test_images = load_data(trained.metadata.config, reporter)
    _check(trained, options, train_images, test_images)
    extractor = _extractor(options, device)
    judge = load_judge(train_images, test_images, device, reporter)
    count = len(test_images.judge_images)
    reporter.info(judge.describe(count))
    n = _num_samples(options, test_images, reporter)
    labelled = has_classes(train_images)
    conditional = is_conditional(trained.metadata.config.condition) and labelled
    reporter.progress("measuring real images", 0.0)
    reference = RealReference(
        train_images, test_images, judge, n, options.against, conditional, extractor
    )
    reporter.progress("measuring real images", 1.0)
    obedience = _obedience(trained, train_images, test_images)
    by_seed, by_seed_and_class, shares = [], [], []
    for seed in range(options.seeds):
        reporter.progress("measuring samples", seed / options.seeds)
        seed_scores, class_scores, seed_shares = _score_samples(trained, reference, seed, obedience)
        by_seed.append(seed_scores)
        by_seed_and_class.append(class_scores)
        shares.append(seed_shares)
    reporter.progress("measuring samples", 1.0)
    scores, real = _mean(by_seed), _finite(reference.real_scores)
    scores |= _probe(trained, train_images, test_images)
    if options.cas:
        scores["cas"] = classification_accuracy_score(
            trained.model, train_images, test_images, device, reporter
        )
        real["cas"] = judge.accuracy
    names = train_images.classes
    expected_shares = class_shares(test_images.labels.cpu(), len(names))
    mean_shares = torch.stack(shares).mean(dim=0)
    # Samples of one picture resemble it: compared with all pictures they must differ less.
    judged = scores if labelled else scores | {"diversity": 1.0}
    return {
        "run": str(trained.path.parent if _run_of(trained) else trained.path),
        "model_sha256": trained.digest,
        "judge": {"accuracy": judge.accuracy, "digest": judge.digest, "version": judge.version},
        "n": n,
        "against": options.against,
        "features": judge.features if extractor is None else options.features,
        "seeds": options.seeds,
        "scores": scores,
        "real": real,
        **(
            {"chance": obedience.chance(random_indices(test_images, n, "test"))}
            if obedience
            else {}
        ),
        **({"floor": {"kl": expected_kl(len(names), n)}} if "kl" in scores else {}),
        "std": _std(by_seed),
        "per_class": {
            name: {
                "scores": _mean(class_scores[label] for class_scores in by_seed_and_class),
                "real": reference.real_scores_by_class[label],
            }
            for label, name in enumerate(names)
        },
        "warnings": warnings(judged, real, expected_shares, mean_shares, names or ("all",)),
    }


def write_result(result: dict[str, Any], trained: TrainedModel) -> Path | None:
    """Write evaluation.json into the run of the model; None for a model file without a run."""
    run = _run_of(trained)
    if run is None:
        return None
    atomic_write(run.evaluation, (json.dumps(result, indent=2) + "\n").encode())
    return run.evaluation


def _run_of(trained: TrainedModel) -> Run | None:
    run = Run(trained.path.parent)
    return run if run.exists and run.model == trained.path else None


def _check(
    trained: TrainedModel, options: EvaluationOptions, train_images: Images, test_images: Images
) -> None:
    if train_images.classes != trained.metadata.classes:
        raise UsageError(
            f"cannot evaluate {trained.path}: its data has the classes "
            f"{', '.join(train_images.classes) or 'none'}, but it was trained on "
            f"{', '.join(trained.metadata.classes) or 'none'}; use the data it was trained on"
        )
    if options.n is not None and options.n < MIN_IMAGES:
        raise UsageError(f"--n {options.n}: {K} nearest neighbours need at least {MIN_IMAGES}")
    if min(len(train_images), len(test_images)) < MIN_IMAGES:
        raise UsageError(
            f"cannot evaluate {trained.path}: there are {len(test_images)} test images, and "
            f"{MIN_IMAGES} are needed; raise data.test_fraction"
        )
    if options.cas and not has_classes(train_images):
        raise UsageError(f"--cas: the data of {trained.path} has no classes; leave it out")
    if options.cas and not is_conditional(trained.metadata.config.condition):
        raise UsageError(
            f"--cas: {trained.path} is unconditional; use a model trained with "
            "`condition: {kind: image}` or `label`"
        )


def _extractor(options: EvaluationOptions, device: torch.device) -> Extractor | None:
    """What computes the features, if it is not the judge."""
    if options.features == "judge":
        return None
    from genctl.evaluation.inception import inception_extractor

    return inception_extractor(device)


def _num_samples(options: EvaluationOptions, test_images: Images, reporter: Reporter) -> int:
    available = len(test_images)
    if options.n is None:
        # Modes are counted with as many samples as in the literature.
        return (
            available if test_images.components is not None else min(available, DEFAULT_MAX_SAMPLES)
        )
    if options.n > available:
        reporter.warn(
            f"only {available:,} real test images are available for {options.n:,} samples, so FID "
            "is biased"
        )
    return options.n


def _score_samples(
    trained: TrainedModel, reference: RealReference, seed: int, obedience: Obedience | None
) -> tuple[Scores, list[Scores], Tensor]:
    """The scores of one seed, those of each class, and the share of each class among samples."""
    model, test_images = trained.model, reference.test_images
    index = random_indices(test_images, reference.n, "test")
    labels = test_images.labels[index].cpu()
    samples = reference.measure(
        sample(model, test_images, index, seed), labels if reference.conditional else None
    )
    scores, by_class = reference.compare(samples)
    scores |= mode_scores(samples.predicted, test_images)
    if reference.conditional:
        scores["agreement"] = agreement(labels, samples.predicted)
    if obedience is not None:
        scores |= obedience.score(samples.pixels, index, samples.predicted)
    conditions = min(MAX_CONDITIONS, max(reference.n // SAMPLES_PER_CONDITION, 1))
    groups = reference.measure(
        sample_kinds(model, test_images, index[:conditions], seed, SAMPLES_PER_CONDITION)
    ).features.unflatten(0, (conditions, SAMPLES_PER_CONDITION))
    scores["diversity"] = reference.diversity(groups, labels[:conditions])
    scores["copies"] = reference.copies(samples.pixels)
    return scores, by_class, class_shares(samples.predicted, reference.num_classes)


def _obedience(
    trained: TrainedModel, train_images: Images, test_images: Images
) -> Obedience | None:
    """What measures whether captions are obeyed, if they are about what can be measured."""
    config = trained.metadata.config
    if test_images.tokens is None or not config.data.caption_attributes:
        return None
    return Obedience(train_images, test_images)


def _probe(trained: TrainedModel, train_images: Images, test_images: Images) -> Scores:
    """How well classes can be read from an encoder's codes; {} for stacked images or no encoder."""
    if (
        not isinstance(trained.metadata.config.condition, Image)
        or train_images.components is not None
        or not has_classes(train_images)
    ):
        return {}
    index = random_indices(train_images, min(MAX_PROBE_IMAGES, len(train_images)), "probe")
    train_codes = sampling.encode(trained.model, train_images.floats(index))
    test_codes = sampling.encode(trained.model, test_images.floats(slice(None)))
    split = (train_codes, train_images.labels[index], test_codes, test_images.labels)
    return {"linear_probe": linear_probe(*split), "nearest_neighbours": nearest_neighbours(*split)}


def _mean(parts: Iterable[Scores]) -> Scores:
    return {name: fmean(values) for name, values in _values(parts).items()}


def _std(parts: Iterable[Scores]) -> Scores:
    return {
        name: stdev(values) if len(values) > 1 else 0.0 for name, values in _values(parts).items()
    }


def _values(parts: Iterable[Scores]) -> dict[str, list[float]]:
    """The finite values of each score."""
    values: dict[str, list[float]] = {}
    for part in parts:
        for name, value in _finite(part).items():
            values.setdefault(name, []).append(value)
    return values


def _finite(scores: Scores) -> Scores:
    """Without NaN: data with one image per class has no diversity."""
    return {name: value for name, value in scores.items() if isfinite(value)}
