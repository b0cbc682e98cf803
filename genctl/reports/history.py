"""What the files of a run say about it; of damaged files, whatever can be read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genctl.common.errors import UsageError
from genctl.runs.lookup import find_run, list_runs
from genctl.runs.run import Run
from genctl.training.early_stopping import overall_score

OVERALL = "overall"
"""FID plus the share of samples of a wrong class: what ``train`` chooses the best model by."""


@dataclass(frozen=True)
class Basis:
    """What scores were measured with. They compare only where all of this is the same."""

    source: str  # "evaluation": by ``genctl evaluate``; "training": while the run trained
    data: str | None  # SHA-256 of the training images
    judge: str | None  # SHA-256 of the judge
    features: str | None
    against: str | None
    n: int | None  # samples


@dataclass(frozen=True)
class ScoreSet:
    """The scores of one model, beside those of real images."""

    basis: Basis
    scores: dict[str, float]
    std: dict[str, float]  # over seeds of sampling; empty for scores from training
    real: dict[str, float]
    images: int | None  # real images that the model had seen, where known
    judge_accuracy: float | None  # on test images


@dataclass(frozen=True)
class Point:
    """Values after some images and seconds of training."""

    images: int
    seconds: float | None
    values: dict[str, float]


@dataclass(frozen=True)
class History:
    """One run."""

    run: Run
    status: str
    has_model: bool
    images: int
    seconds: float | None
    images_per_second: float | None
    environment: dict[str, Any]
    losses: list[Point]
    curve: list[Point]  # scores through training
    training: ScoreSet | None  # of the best model so far, which is the run's model
    evaluation: ScoreSet | None
    grids: list[tuple[int, Path]]  # images seen -> sample grid

    @property
    def name(self) -> str:
        """The name of the run directory."""
        return self.run.path.resolve().name

    @property
    def parameters(self) -> dict[str, int]:
        """The number of parameters of each role that has any; empty for runs before 0.1."""
        return {role: int(count) for role, count in _finite(self.environment, "parameters").items()}

    @property
    def score_sets(self) -> list[ScoreSet]:
        """The scores that the run has, the more exact ones first."""
        return [scores for scores in (self.evaluation, self.training) if scores is not None]


def find_runs(names: list[str], runs: Path) -> list[Run]:
    """The runs of these names or paths, each once; without names all in the folder ``runs``.

    Raises:
        MissingInput: one does not exist.
        UsageError: one is a model file outside of a run.
    """
    if not names:
        return list_runs(runs)
    found = [named_run(name, runs) for name in names]
    return list({run.path.resolve(): run for run in found}.values())


def named_run(name: str | None, runs: Path) -> Run:
    """The run of a name or path, or the run that a model file belongs to; else the newest.

    Raises:
        MissingInput: there is none.
        UsageError: the model file does not lie in a run.
    """
    if name is None or not Path(name).is_file():
        return find_run(name, runs)
    run = Run(Path(name).parent)
    if not run.exists:
        raise UsageError(
            f"cannot use {name}: a model file alone has no history; name the run it is from"
        )
    return run


def read_history(run: Run) -> History:
    """Read the files of a run; what is missing or damaged is left out."""
    environment, result = run.read_environment(), run.read_result()
    losses, curve = _read_points(run)
    last = max([*losses, *curve], key=lambda point: point.images, default=Point(0, None, {}))
    return History(
        run=run,
        status=run.status(),
        has_model=run.model.exists(),
        images=int(_number(result.get("images")) or last.images),
        seconds=_number(result.get("seconds")) or last.seconds,
        images_per_second=_number(result.get("images_per_second")) or None,
        environment=environment,
        losses=losses,
        curve=curve,
        training=_training_scores(environment, curve),
        evaluation=_evaluation_scores(environment, run.read_evaluation()),
        grids=_grids(run),
    )


def _read_points(run: Run) -> tuple[list[Point], list[Point]]:
    """The losses and the scores of metrics.jsonl; the scores with the overall one."""
    losses: list[Point] = []
    curve: list[Point] = []
    try:
        records = run.read_metrics()
    except OSError:
        return losses, curve
    seconds = None
    for record in records:
        # Lines of scores had no seconds once; those of the losses before them are close.
        known = _number(record.get("seconds"))
        seconds = seconds if known is None else known
        if terms := _finite(record, "terms"):
            losses.append(Point(record["images"], seconds, terms))
        if "fid" in (scores := _finite(record, "scores")):
            curve.append(Point(record["images"], seconds, with_overall(scores)))
    return losses, curve


def with_overall(scores: dict[str, float]) -> dict[str, float]:
    """Scores with the overall one in front, if there is an FID."""
    return {OVERALL: overall_score(scores), **scores} if "fid" in scores else scores


def _training_scores(environment: dict[str, Any], curve: list[Point]) -> ScoreSet | None:
    if not curve:
        return None
    best = min(curve, key=lambda point: point.values[OVERALL])
    scoring = environment.get("scoring")
    basis = _basis("training", environment, scoring if isinstance(scoring, dict) else {})
    real = with_overall(_finite(scoring, "real"))
    accuracy = _finite(environment, "judge").get("accuracy")
    return ScoreSet(basis, best.values, {}, real, best.images, accuracy)


def _evaluation_scores(environment: dict[str, Any], content: dict[str, Any]) -> ScoreSet | None:
    scores = _finite(content, "scores")
    if not scores:
        return None
    basis = _basis("evaluation", {**environment, "judge": content.get("judge")}, content)
    std, real = _finite(content, "std"), with_overall(_finite(content, "real"))
    accuracy = _finite(content, "judge").get("accuracy")
    return ScoreSet(basis, with_overall(scores), std, real, None, accuracy)


def _basis(source: str, environment: dict[str, Any], content: dict[str, Any]) -> Basis:
    judge = environment.get("judge")
    n = _number(content.get("n"))
    return Basis(
        source,
        _text(environment.get("data")),
        _text(judge.get("digest")) if isinstance(judge, dict) else None,
        _text(content.get("features")),
        _text(content.get("against")),
        None if n is None else int(n),
    )


def _grids(run: Run) -> list[tuple[int, Path]]:
    paths = run.samples.glob("[0-9]*.png")
    return sorted((int(path.stem), path) for path in paths if path.stem.isdecimal())


def _finite(content: Any, key: str) -> dict[str, float]:
    """The finite numbers of an inner object; a damaged file may hold anything."""
    inner = content.get(key) if isinstance(content, dict) else None
    if not isinstance(inner, dict):
        return {}
    numbers = {name: _number(value) for name, value in inner.items()}
    return {name: value for name, value in numbers.items() if value is not None}


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
