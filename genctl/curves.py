"""The same scalars and grids as in metrics.jsonl and samples/, for TensorBoard."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from genctl.errors import WriteFailed


class TensorBoard:
    """Writes event files; what an earlier part wrote after ``images_seen`` is hidden.

    Writing happens later and in another thread, so that a full disk may be told by any call.
    """

    def __init__(self, folder: Path, images_seen: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._folder = folder
        with self._told():
            self._writer = SummaryWriter(str(folder), purge_step=images_seen or None)

    def write(self, images_seen: int, scalars: dict[str, float]) -> None:
        """Add one point to each curve; the horizontal axis is images."""
        with self._told():
            for name, value in scalars.items():
                self._writer.add_scalar(name, value, images_seen)

    def show(self, images_seen: int, grid: torch.Tensor) -> None:
        """Add a grid of samples."""
        with self._told():
            self._writer.add_image("samples", grid, images_seen)

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            with self._told():
                self._writer.close()
        except WriteFailed:
            if kind is None:  # else what ended the block is the one to tell
                raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise WriteFailed(
                f"cannot write {self._folder}: {error.strerror}; "
                "make room and run the same command again"
            ) from None
