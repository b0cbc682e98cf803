"""The scalars of metrics.jsonl and the grids of samples/ as TensorBoard event files."""

import threading
from pathlib import Path

import torch

from genctl.common import files
from genctl.common.errors import CannotCreate, WriteFailed


class TensorBoard:
    """Writes event files; points of an earlier part of the run after ``images_seen`` are hidden.

    TensorBoard writes in another thread, so any call may raise for an earlier one.

    Raises:
        CannotCreate, WriteFailed: the files cannot be written.
    """

    def __init__(self, folder: Path, images_seen: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._folder = folder
        self._previous_hook = threading.excepthook
        threading.excepthook = self._on_thread_error
        with files.translate_errors(self._folder):
            self._writer = SummaryWriter(str(folder), purge_step=images_seen or None)

    def add_scalars(self, images_seen: int, scalars: dict[str, float]) -> None:
        """Add one point to each curve; the x axis is images."""
        with files.translate_errors(self._folder):
            for name, value in scalars.items():
                self._writer.add_scalar(name, value, images_seen)

    def add_image(self, images_seen: int, grid: torch.Tensor) -> None:
        """Add a grid of samples (C, height, width) uint8."""
        with files.translate_errors(self._folder):
            self._writer.add_image("samples", grid, images_seen)

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            with files.translate_errors(self._folder):
                self._writer.close()
        except (CannotCreate, WriteFailed):
            if kind is None:  # otherwise report the exception that ended the block
                raise
        finally:
            threading.excepthook = self._previous_hook

    def _on_thread_error(self, error: threading.ExceptHookArgs) -> None:
        """Print no traceback for errors that the writing thread passes on to the next call."""
        if not isinstance(error.exc_value, OSError):
            self._previous_hook(error)
