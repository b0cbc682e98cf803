"""The grid of samples that a run writes again and again: same z, same conditions every time."""

from torch import Tensor

from genctl.data import pictures as images
from genctl.data.base import Images
from genctl.inference import sampling
from genctl.model import Model

ROWS, COLUMNS = 10, 10


class SampleGrid:
    """Rows of conditions, columns of z; what is shown stands in front of its row."""

    def __init__(self, model: Model, held_out: Images, seed: int) -> None:
        self.shown = model.condition.example_inputs(held_out, ROWS).cpu()
        self.z = sampling.sample_z(seed, 0, COLUMNS, model.z_dim)
        if self.shown.shape[1:] == (0,):  # nothing is shown, so every sample has its own z
            self.z = sampling.sample_z(seed, 0, COLUMNS * len(self.shown), model.z_dim)

    def render(self, model: Model) -> Tensor:
        """The grid as ``model`` draws it now, (C, height, width) uint8."""
        codes = sampling.encode(model, self.shown)
        count = len(codes)
        z = self.z if len(self.z) == COLUMNS * count else self.z.repeat(count, 1)
        drawn = sampling.generate(model, z, codes.repeat_interleave(COLUMNS, dim=0))
        rows = [list(row) for row in drawn.split(COLUMNS)]
        if self.shown.ndim < 4:
            return images.grid(rows)
        pictures = images.to_bytes(self.shown)
        return images.grid(
            [[picture, *row] for picture, row in zip(pictures, rows, strict=True)], lead=4
        )
