"""The grid of samples that a run writes at every checkpoint, with the same z and conditions."""

from torch import Tensor

from genctl.data import pictures
from genctl.data.base import Images
from genctl.inference import sampling
from genctl.model import Model

ROWS, COLUMNS = 10, 10


class SampleGrid:
    """A row for each condition, a column for each z; condition images stand in front."""

    def __init__(self, model: Model, test_images: Images, seed: int) -> None:
        self.inputs = model.condition.example_inputs(test_images, ROWS).cpu()  # (ROWS, ...)
        self.front = model.condition.example_pictures(test_images, self.inputs)
        samples = COLUMNS * len(self.inputs)
        if model.condition.code_dim:
            self.z = sampling.sample_z(seed, 0, COLUMNS, model.z_dim).repeat(len(self.inputs), 1)
        else:  # without a condition every sample has a z of its own
            self.z = sampling.sample_z(seed, 0, samples, model.z_dim)

    def render(self, model: Model) -> Tensor:
        """The grid with the present weights of ``model``, (C, height, width) uint8."""
        codes = sampling.encode(model, self.inputs).repeat_interleave(COLUMNS, dim=0)
        samples = sampling.generate(model, self.z, codes)
        rows = [list(row) for row in samples.split(COLUMNS)]
        if self.front is None:
            return pictures.grid(rows)
        return pictures.grid(
            [[picture, *row] for picture, row in zip(self.front, rows, strict=True)],
            first_column_gap=4,
        )
