"""Samples as the arrays of an npz file, written while others are still to be drawn.

An npz file is a zip of npy files; numpy itself only writes arrays that it can hold in memory.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO
from zipfile import ZipFile

import numpy as np
from numpy.lib.format import dtype_to_descr, write_array_header_1_0

from genctl.common import files
from genctl.inference.samples import Drawing

CHUNK = 65_536  # numbers that are made at a time

Told = Callable[[float], None]
"""Is told the share of the samples that is done, 0 to 1."""


def write(drawing: Drawing, path: Path, batch_size: int, told: Told) -> None:
    """images (N, H, W, C) uint8, seed, index and conditions (N,) as an npz file, whole or not.

    Raises:
        CannotCreate, WriteFailed: there is no place or no room for it.
    """
    shape, count = drawing.trained.metadata.config.data.shape, len(drawing)
    image = (shape.size, shape.size, shape.channels)
    names = np.array([one.name for one in drawing.shown], dtype=np.str_)
    seed = np.int64(drawing.order.seed)

    def fill(file: IO[bytes]) -> None:
        with ZipFile(file, "w") as archive:
            _put(archive, "images", (count, *image), _pixels(drawing, batch_size, told))
            _put(archive, "seed", (count,), (np.full(n, seed) for _, _, n in _parts(drawing)))
            _put(
                archive,
                "index",
                (count,),
                (first + np.arange(n) for _, first, n in _parts(drawing)),
            )
            _put(
                archive,
                "conditions",
                (count,),
                (names[[i]].repeat(n) for i, _, n in _parts(drawing)),
            )

    numbers = 2 * seed.itemsize + names.itemsize
    files.atomic_write_stream(path, fill, count * (shape.size**2 * shape.channels + numbers))


def _put(archive: ZipFile, name: str, shape: tuple[int, ...], parts: Iterable[np.ndarray]) -> None:
    """Add an array of ``shape`` that comes in parts of one type."""
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        for number, part in enumerate(parts):
            if number == 0:
                form = {"descr": dtype_to_descr(part.dtype), "fortran_order": False, "shape": shape}
                write_array_header_1_0(file, form)
            file.write(np.ascontiguousarray(part).data)


def _pixels(drawing: Drawing, batch_size: int, told: Told) -> Iterator[np.ndarray]:
    done = 0
    for batch in drawing.batches(batch_size):
        yield batch.permute(0, 2, 3, 1).numpy()
        done += len(batch)
        told(done / len(drawing))


def _parts(drawing: Drawing) -> Iterator[tuple[int, int, int]]:
    """Which condition, from which of its samples on, how many: all samples in order."""
    for condition, count in enumerate(drawing.counts):
        for first in range(0, count, CHUNK):
            yield condition, first, min(CHUNK, count - first)
