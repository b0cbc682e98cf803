"""Pictures: [-1, 1] to bytes and back, reading what a user brings, grids, text inside PNG."""

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError
from torch import Tensor

from genctl.common.errors import BadContent, GenctlError, MissingInput

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"})
GROUND = 64  # level of what lies between the pictures of a grid
MAX_PIXELS = 50_000_000  # refused before decoding; a large camera's picture passes


def to_bytes(images: Tensor) -> Tensor:
    """Images in [-1, 1] to uint8; values outside are cut off."""
    return (images.float() * 127.5 + 127.5).round().clamp(0, 255).byte()


def to_floats(pixels: Tensor) -> Tensor:
    """uint8 to [-1, 1]."""
    return pixels.float() / 127.5 - 1


def read_picture(path: Path) -> Image.Image:
    """Read a picture as 8-bit grey or RGB, upright, transparency laid on its most likely ground.

    Raises:
        MissingInput: the file is not there or cannot be read.
        BadContent: it is no picture of the allowed formats, damaged, or too large.
    """
    try:
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "a device or pipe"
            raise MissingInput(f"cannot read {path}: it is {what}; give a picture file")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of small damage, that the picture survives
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise BadContent(
                        f"cannot use {path}: {picture.width}x{picture.height} pixels are more "
                        f"than {MAX_PIXELS:,}; make it smaller"
                    )
                picture.load()
                return _plain(ImageOps.exif_transpose(picture))
    except UnidentifiedImageError:
        raise BadContent(f"cannot use {path}: not a picture; give {', '.join(FORMATS)}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadContent(f"cannot use {path}: it has too many pixels; make it smaller") from None
    except (GenctlError, MemoryError):
        raise
    except Exception as error:  # decoders meet damage with errors of every kind
        if isinstance(error, OSError) and error.errno is not None:
            raise MissingInput(f"cannot read {path}: {error.strerror}; check the path") from None
        raise BadContent(f"cannot use {path}: a damaged picture: {error}; get it again") from None


def _plain(picture: Image.Image) -> Image.Image:
    if picture.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        levels = np.nan_to_num(np.asarray(picture, dtype=np.float32))
        tops = (1, 255, 65535) if picture.mode == "F" else (255, 65535)
        top = next((top for top in tops if levels.max() <= top), 65535)
        return Image.fromarray((levels * (255 / top)).clip(0, 255).round().astype(np.uint8))
    if picture.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        # Light strokes on nothing are meant to be seen on black, dark ones on white.
        ink = np.asarray(picture.convert("L"))[np.asarray(picture)[..., 3] > 127]
        ground = "black" if ink.size and ink.mean() > 127 else "white"
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, ground), picture)
    return picture.convert("L" if picture.mode in ("1", "L") else "RGB")


def pixels_of(picture: Image.Image, channels: int) -> Tensor:
    """A picture as (C, H, W) uint8 with 1 or 3 channels."""
    array = np.array(picture.convert("L" if channels == 1 else "RGB"))
    tensor = torch.from_numpy(array)
    return tensor[None] if tensor.ndim == 2 else tensor.permute(2, 0, 1).contiguous()


def picture_of(pixels: Tensor) -> Image.Image:
    """(C, H, W) uint8 with 1 or 3 channels as a picture."""
    array = pixels.permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else np.ascontiguousarray(array))


def grid(rows: list[list[Tensor]], gap: int = 2, lead: int = 0) -> Tensor:
    """Lay (C, H, W) uint8 images out in rows, (C, height, width) uint8.

    Args:
        rows: the images; a shorter row is filled with the ground.
        gap: pixels of ground around each image.
        lead: further pixels of ground between the first column and the others.
    """
    channels, height, width = rows[0][0].shape
    columns = max(map(len, rows))
    across = columns * (width + gap) + gap + lead
    sheet = torch.full(
        (channels, len(rows) * (height + gap) + gap, across), GROUND, dtype=torch.uint8
    )
    for i, row in enumerate(rows):
        top = gap + i * (height + gap)
        for j, image in enumerate(row):
            left = gap + j * (width + gap) + (lead if j else 0)
            sheet[:, top : top + height, left : left + width] = image.cpu()
    return sheet


def png(pixels: Tensor, text: Mapping[str, Any] | None = None) -> bytes:
    """(C, H, W) uint8 as the bytes of a PNG that carries ``text`` as text chunks."""
    info = PngImagePlugin.PngInfo()
    for key, value in (text or {}).items():
        info.add_text(key, str(value))
    buffer = io.BytesIO()
    picture_of(pixels).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()
