"""How a run stands by its scores: the best so far, and whether it has converged or collapsed."""

from dataclasses import dataclass


def overall(scores: dict[str, float]) -> float:
    """One number to choose by, lower is better: FID, plus the share of images of a wrong class."""
    return scores["fid"] + 1 - scores.get("agreement", 1.0)


@dataclass
class Standing:
    """The best score of a run so far."""

    best: float | None = None
    best_images: int = 0

    def take(self, scores: dict[str, float], images: int) -> bool:
        """Take new scores after ``images``; returns whether they are the best."""
        value = overall(scores)
        if self.best is not None and value >= self.best:
            return False
        self.best, self.best_images = value, images
        return True

    def has_converged(self, images: int, patience: int) -> bool:
        """Whether ``patience`` images (0: for ever) went by without a better score."""
        return bool(patience) and self.best is not None and images - self.best_images >= patience

    def has_collapsed(self, scores: dict[str, float]) -> bool:
        """Whether the scores are so far from the best that training is worth stopping."""
        return self.best is not None and overall(scores) > max(10 * self.best, self.best + 1)
