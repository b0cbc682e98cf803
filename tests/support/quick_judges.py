"""Judges that are trained in seconds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from genctl.evaluation import judge_training


@contextmanager
def quick_judges(cache: Path, num_images: int = 8_000) -> Iterator[None]:
    """Train judges on ``num_images`` inside the block, and keep them in ``cache``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENCTL_CACHE", str(cache))
        patch.setattr(judge_training, "EPOCHS", 1)
        patch.setattr(judge_training, "MIN_IMAGES", num_images)
        yield
