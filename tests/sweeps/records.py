"""Records of runs that never were."""

from genctl.reports.history import with_overall
from genctl.sweeps.records import Record

REAL = {"fid": 0.03, "agreement": 0.99, "coverage": 0.95}


def record(
    x: str, seed: int, fid: float | None, status: str = "complete", images: int = 64,
    **more: str,
) -> Record:  # fmt: skip
    """A run with the preset ``tiny``; without an FID it diverged."""
    settings = {"x": x, **more}
    if fid is None:
        return Record("tiny", settings, seed, f"runs/{x}-{seed}", "diverged", 32, exit_code=3)
    scores = with_overall({"fid": fid, "agreement": 0.9})
    return Record(
        "tiny", settings, seed, f"runs/{x}-{seed}", status, images, 1.5, 9.0, scores,
        with_overall(REAL),
    )  # fmt: skip
