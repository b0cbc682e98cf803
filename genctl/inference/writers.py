"""The files that ``genctl sample`` writes: a grid, a folder of PNGs, an npz, or an animation."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import numpy as np

from genctl.common import files
from genctl.common.errors import CannotCreate
from genctl.common.reporting import OnProgress
from genctl.data import pictures
from genctl.inference import layout
from genctl.inference.provenance import png_text, provenance_of
from genctl.inference.samples import SampleSet, ignore

OutputFormat = Literal["grid", "png", "npz", "animation"]

FRAME_MILLISECONDS = 80


def write(
    samples: SampleSet,
    path: Path,
    form: OutputFormat,
    batch_size: int,
    on_progress: OnProgress = ignore,
) -> None:
    """Write samples to a file, or to a folder for ``png``, whole or not at all.

    Raises:
        UsageError: there are too many samples for one picture.
        OutOfMemory: they do not fit into memory.
        CannotCreate, WriteFailed: the output cannot be written.
    """
    files.make_folder(path.parent)
    match form:
        case "png":
            _write_folder(samples, path, batch_size, on_progress)
        case "npz":
            files.atomic_write(path, _npz(samples, batch_size, on_progress))
        case "animation":
            files.atomic_write(path, _animation(samples, path.suffix, batch_size, on_progress))
        case "grid":
            pixels = layout.render_grid(samples, batch_size, on_progress)
            text = png_text(provenance_of(samples))
            files.atomic_write(path, pictures.png(pixels, text))


def _npz(samples: SampleSet, batch_size: int, on_progress: OnProgress) -> bytes:
    pixels = samples.pixels(batch_size, on_progress)
    names = np.array([condition.name for condition in samples.conditions], dtype=np.str_)
    buffer = io.BytesIO()
    np.savez(
        buffer,
        images=pixels.permute(0, 2, 3, 1).numpy(),  # (N, H, W, C)
        seed=np.full(len(samples), samples.request.seed, dtype=np.int64),
        index=np.concatenate([np.arange(count) for count in samples.counts]),
        conditions=names.repeat(samples.counts),
    )
    return buffer.getvalue()


def _animation(samples: SampleSet, suffix: str, batch_size: int, on_progress: OnProgress) -> bytes:
    frames = layout.render_frames(samples, batch_size, on_progress)
    first, *others = map(pictures.tensor_to_pil, frames)
    buffer = io.BytesIO()
    first.save(
        buffer,
        "GIF" if suffix.lower() == ".gif" else "PNG",
        save_all=True,
        append_images=others,
        duration=FRAME_MILLISECONDS,
        loop=0,
    )
    return buffer.getvalue()


def _write_folder(
    samples: SampleSet, folder: Path, batch_size: int, on_progress: OnProgress
) -> None:
    """Write one PNG per sample, batch by batch; if that fails, delete those already written."""
    if folder.is_dir() and any(folder.iterdir()):
        raise CannotCreate(f"cannot write {folder}: the folder is not empty; name another --out")
    existed = folder.exists()
    files.make_folder(folder)
    number = 0
    try:
        for batch in samples.batches(batch_size):
            for pixels in batch:
                text = png_text(provenance_of(samples, number))
                files.atomic_write(_numbered(folder, number), pictures.png(pixels, text))
                number += 1
            on_progress(number / len(samples))
    except BaseException:
        for written in range(number + 1):
            _numbered(folder, written).unlink(missing_ok=True)
        if not existed:
            folder.rmdir()
        raise


def _numbered(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.png"
