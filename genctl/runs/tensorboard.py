"""The same scalars and grids as in metrics.jsonl and samples/, for TensorBoard."""

import threading
from pathlib import Path

import torch

from genctl.common import files
from genctl.common.errors import CannotCreate, WriteFailed


class TensorBoard:
    """Writes event files; what an earlier part wrote after ``images_seen`` is hidden.

    Writing happens later and in another thread, so that a full disk may be told by any call.
    """

    def __init__(self, folder: Path, images_seen: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._folder = folder
        self._hook = threading.excepthook
        threading.excepthook = self._keep_quiet
        with files.translate_errors(self._folder):
            self._writer = SummaryWriter(str(folder), purge_step=images_seen or None)

    def add_scalars(self, images_seen: int, scalars: dict[str, float]) -> None:
        """Add one point to each curve; the horizontal axis is images."""
        with files.translate_errors(self._folder):
            for name, value in scalars.items():
                self._writer.add_scalar(name, value, images_seen)

    def add_image(self, images_seen: int, grid: torch.Tensor) -> None:
        """Add a grid of samples."""
        with files.translate_errors(self._folder):
            self._writer.add_image("samples", grid, images_seen)

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            with files.translate_errors(self._folder):
                self._writer.close()
        except (CannotCreate, WriteFailed):
            if kind is None:  # else what ended the block is the one to tell
                raise
        finally:
            threading.excepthook = self._hook

    def _keep_quiet(self, failed: threading.ExceptHookArgs) -> None:
        """Print no traceback of what the thread that writes hands on to the next call anyway."""
        if not isinstance(failed.exc_value, OSError):
            self._hook(failed)
