"""The same scalars and grids as in metrics.jsonl and samples/, for TensorBoard."""

from pathlib import Path

import torch


class TensorBoard:
    """Writes event files; what an earlier part wrote after ``images_seen`` is hidden."""

    def __init__(self, folder: Path, images_seen: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=images_seen or None)

    def write(self, images_seen: int, scalars: dict[str, float]) -> None:
        """Add one point to each curve; the horizontal axis is images."""
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, images_seen)

    def show(self, images_seen: int, grid: torch.Tensor) -> None:
        """Add a grid of samples."""
        self._writer.add_image("samples", grid, images_seen)

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
