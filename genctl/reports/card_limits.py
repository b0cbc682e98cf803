"""What a model card warns of."""

from __future__ import annotations

from genctl.config.config import Config
from genctl.reports import formats
from genctl.reports.history import History, ScoreSet

FEW_SAMPLES = 10_000  # below this, FID is clearly too high: Chong and Forsyth 2020


def limits(history: History, config: Config, scores: ScoreSet | None) -> list[str]:
    """What is known to be wrong, and what is not known."""
    found = [
        "It knows only its training data, and repeats what that leaves out or has too much of.",
        f"Images have {config.data.image_size}x{config.data.image_size} pixels.",
    ]
    if history.status != "complete":
        found.append(f"The run is {history.status}: the model is not one of a finished run.")
    if scores is None:
        found.append("How good its samples are has not been measured.")
        return [*found, _copies(None)]
    n = scores.basis.n
    if n is None or n < FEW_SAMPLES:
        samples = "few samples" if n is None else f"{n:,} samples"
        found.append(f"FID is biased: with {samples} it is higher than with many.")
    if scores.basis.features != "inception":
        found.append(
            "FID is measured in the features of a judge of this data: it does not compare with "
            "FIDs in the features of Inception, nor with those of other judges."
        )
    warnings = history.run.read_evaluation().get("warnings")
    found += [str(text) for text in warnings] if isinstance(warnings, list) else []
    return [*found, _copies(scores)]


def _copies(scores: ScoreSet | None) -> str:
    if scores is None or "copies" not in scores.scores:
        return "Whether samples copy training images has not been measured."
    own, real = scores.scores["copies"], scores.real.get("copies")
    text = f"{formats.score('copies', own)} of samples are close copies of training images"
    beside = "" if real is None else f"; of real test images it is {formats.score('copies', real)}"
    return f"{text}{beside}."
