"""The best score of a run, and whether the run has converged or collapsed."""

from dataclasses import dataclass


def overall_score(scores: dict[str, float]) -> float:
    """One number, lower is better: FID, plus the share of samples of a wrong class."""
    return scores["fid"] + 1 - scores.get("agreement", 1.0)


@dataclass
class EarlyStopping:
    """The best score so far, and when it was reached."""

    best: float | None = None
    best_images: int = 0

    def update(self, scores: dict[str, float], images: int) -> bool:
        """Add the scores after ``images``; returns whether they are the best so far."""
        score = overall_score(scores)
        if self.best is not None and score >= self.best:
            return False
        self.best, self.best_images = score, images
        return True

    def has_converged(self, images: int, patience: int) -> bool:
        """Whether the last ``patience`` images brought no better score; never with 0."""
        return bool(patience) and self.best is not None and images - self.best_images >= patience

    def has_collapsed(self, scores: dict[str, float]) -> bool:
        """Whether the scores are far worse than the best."""
        return self.best is not None and overall_score(scores) > max(10 * self.best, self.best + 1)
