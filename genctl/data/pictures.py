"""Pictures: reading files of any format, PIL to tensors and back, grids, PNG with text."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from genctl.common.errors import BadContent, GenctlError, MissingInput

if TYPE_CHECKING:  # reports read pictures without torch
    from torch import Tensor

Ground = Literal["black", "white"]
"""What shows through where a picture is transparent."""

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"})
BACKGROUND = 64  # grey level between the images of a grid
MAX_PIXELS = 50_000_000  # more are refused before decoding; a large camera has fewer


def read_picture(path: Path, ground: Ground | None = None) -> Image.Image:
    """Read a picture as 8-bit grey or RGB, upright.

    Args:
        path: the file.
        ground: what shows through where it is transparent; by default black or white, whichever
            its content stands out from.

    Raises:
        MissingInput: the file is not there or cannot be read.
        BadContent: it is not a picture of the allowed formats, is damaged, or is too large.
    """
    return flatten(open_picture(path), ground)


def open_picture(path: Path, least_side: int | None = None) -> Image.Image:
    """Read a picture as 8-bit grey, RGB or, where it is transparent, RGBA, upright.

    Args:
        path: the file.
        least_side: a JPEG may be decoded at a half, quarter or eighth of its size, which is fast,
            as long as both sides keep this many pixels.

    Raises:
        MissingInput: the file is not there or cannot be read.
        BadContent: it is not a picture of the allowed formats, is damaged, or is too large.
    """
    try:
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "a device or pipe"
            raise MissingInput(f"cannot read {path}: it is {what}; give a picture file")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about damage that the decoder can repair
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise BadContent(
                        f"cannot use {path}: {picture.width}x{picture.height} pixels are more "
                        f"than {MAX_PIXELS:,}; make it smaller"
                    )
                if least_side is not None:
                    picture.draft(None, (least_side, least_side))
                picture.load()
                return _with_8_bits(ImageOps.exif_transpose(picture))
    except UnidentifiedImageError:
        raise BadContent(f"cannot use {path}: not a picture; give {', '.join(FORMATS)}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadContent(f"cannot use {path}: it has too many pixels; make it smaller") from None
    except (GenctlError, MemoryError):
        raise
    except Exception as error:  # damaged files raise errors of every kind in the decoders
        if isinstance(error, OSError) and error.errno is not None:
            raise MissingInput(f"cannot read {path}: {error.strerror}; check the path") from None
        raise BadContent(f"cannot use {path}: damaged picture: {error}; get it again") from None


def as_grey_or_rgb(picture: Image.Image, name: str) -> Image.Image:
    """A picture in memory as ``read_picture`` returns it; ``name`` is what messages call it.

    Raises:
        BadContent: it is damaged, empty or too large.
    """
    if not 0 < picture.width * picture.height <= MAX_PIXELS:
        raise BadContent(
            f"cannot use {name}: {picture.width}x{picture.height} pixels, and at most "
            f"{MAX_PIXELS:,} are allowed; resize it"
        )
    try:
        picture.load()  # it may still be a file
        return flatten(_with_8_bits(ImageOps.exif_transpose(picture)))
    except MemoryError:
        raise
    except Exception as error:  # decoders raise errors of every kind
        raise BadContent(f"cannot use {name}: damaged picture: {error}; get it again") from None


def _with_8_bits(picture: Image.Image) -> Image.Image:
    """A picture as grey or RGB; as RGBA where any of it is transparent."""
    if picture.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        levels = np.nan_to_num(np.asarray(picture, dtype=np.float32))
        tops = (1, 255, 65535) if picture.mode == "F" else (255, 65535)
        top = next((top for top in tops if levels.max() <= top), 65535)
        return Image.fromarray((levels * (255 / top)).clip(0, 255).round().astype(np.uint8))
    if picture.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        if picture.getchannel("A").getextrema() != (255, 255):
            return picture
    return picture.convert("L" if picture.mode in ("1", "L") else "RGB")


def flatten(picture: Image.Image, ground: Ground | None = None) -> Image.Image:
    """Lay an RGBA picture on a ground, by default the one that it stands out from."""
    if picture.mode != "RGBA":
        return picture
    ground = ground or contrasting_ground(picture)
    return Image.alpha_composite(Image.new("RGBA", picture.size, ground), picture).convert("RGB")


def contrasting_ground(picture: Image.Image) -> Ground:
    """The ground that the content of an RGBA picture stands out from."""
    content = np.asarray(picture.convert("L"))[np.asarray(picture)[..., 3] > 127]
    return "black" if content.size and content.mean() > 127 else "white"


def pil_to_tensor(picture: Image.Image, channels: int) -> Tensor:
    """A picture as (C, H, W) uint8; ``channels`` is 1 or 3."""
    import torch

    array = np.array(picture.convert("L" if channels == 1 else "RGB"))
    tensor = torch.from_numpy(array)
    return tensor[None] if tensor.ndim == 2 else tensor.permute(2, 0, 1).contiguous()


def tensor_to_pil(pixels: Tensor) -> Image.Image:
    """(C, H, W) uint8 with 1 or 3 channels as a picture."""
    array = pixels.permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else np.ascontiguousarray(array))


def grid(rows: list[list[Tensor]], gap: int = 2, first_column_gap: int = 0) -> Tensor:
    """Arrange images (C, H, any width) uint8 in rows, (C, height, width) uint8.

    Args:
        rows: the images; a column is as wide as its widest, and shorter rows are filled with the
            background.
        gap: pixels of background around each image.
        first_column_gap: additional pixels between the first column and the others.
    """
    import torch

    channels, height, _ = rows[0][0].shape
    lefts, across = [], gap
    for j in range(max(map(len, rows))):
        lefts.append(across)
        across += max(row[j].shape[2] for row in rows if j < len(row)) + gap
        across += 0 if j else first_column_gap
    sheet = torch.full(
        (channels, len(rows) * (height + gap) + gap, across), BACKGROUND, dtype=torch.uint8
    )
    for i, row in enumerate(rows):
        top = gap + i * (height + gap)
        for left, image in zip(lefts, row, strict=False):
            sheet[:, top : top + height, left : left + image.shape[2]] = image.cpu()
    return sheet


def png(pixels: Tensor, text: Mapping[str, Any] | None = None) -> bytes:
    """(C, H, W) uint8 as the bytes of a PNG file with ``text`` as text chunks."""
    info = PngImagePlugin.PngInfo()
    for key, value in (text or {}).items():
        info.add_text(key, str(value))
    buffer = io.BytesIO()
    tensor_to_pil(pixels).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()
