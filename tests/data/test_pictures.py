"""Picture files of every format and mode, whole and damaged."""

import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from genctl.common.errors import GenctlError, MissingInput
from genctl.data import pictures
from genctl.data.pixels import to_floats, to_uint8

LEVELS = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5  # 8 wide, 6 high
GREY = Image.fromarray(LEVELS)


def read(path: Path) -> np.ndarray:
    return np.asarray(pictures.read_picture(path))


def test_uint8_and_floats_are_inverse() -> None:
    pixels = torch.arange(256).byte()
    assert torch.equal(to_uint8(to_floats(pixels)), pixels)
    assert to_uint8(torch.tensor([-3.0, -1.0, 0.0, 1.0, 9.0])).tolist() == [
        0, 0, 128, 255, 255,
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "tif", "webp"])
def test_lossless_formats_keep_every_level(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    GREY.save(path, lossless=True)
    found = read(path)
    assert np.array_equal(found if found.ndim == 2 else found[..., 0], LEVELS)


def test_jpeg_keeps_levels_approximately(tmp_path: Path) -> None:
    GREY.resize((80, 60)).save(tmp_path / "a.jpg", quality=95)
    expected = np.asarray(GREY.resize((80, 60)), dtype=int)
    assert np.abs(read(tmp_path / "a.jpg") - expected).max() < 12


def test_the_first_frame_of_an_animation_is_read(tmp_path: Path) -> None:
    GREY.save(tmp_path / "a.gif", save_all=True, append_images=[Image.new("L", (8, 6), 9)])
    assert np.array_equal(read(tmp_path / "a.gif")[..., 0], LEVELS)


BLACK, WHITE, RED = 0, 255, [255, 0, 0]
MODES = {
    "1": (Image.new("1", (3, 2), 1), WHITE),
    "I;16": (Image.fromarray(np.full((2, 3), 0x8080, np.uint16)), 128),
    "I": (Image.new("I", (3, 2), 0x4040), 64),
    "F in 0 to 1": (Image.new("F", (3, 2), 0.5), 128),
    "F in 0 to 255": (Image.new("F", (3, 2), 99.6), 100),
    "RGB": (Image.new("RGB", (3, 2), (255, 0, 0)), RED),
    "CMYK": (Image.new("CMYK", (3, 2), (0, 255, 255, 0)), RED),
    "P": (Image.new("RGB", (3, 2), (255, 0, 0)).quantize(2), RED),
    "LA, opaque": (Image.new("LA", (3, 2), (77, 255)), [77] * 3),
    "RGBA, opaque": (Image.new("RGBA", (3, 2), (255, 0, 0, 255)), RED),
    "RGBA, transparent": (Image.new("RGBA", (3, 2), (0, 0, 0, 0)), [WHITE] * 3),
}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_becomes_8_bit_grey_or_colour(mode: str, tmp_path: Path) -> None:
    picture, expected = MODES[mode]
    picture.save(tmp_path / "a.tif")
    assert np.all(read(tmp_path / "a.tif") == expected)


@pytest.mark.parametrize(("content", "background"), [(0, 255), (255, 0)])
def test_transparency_becomes_the_colour_that_the_content_stands_out_from(
    content: int, background: int, tmp_path: Path
) -> None:
    stroke = Image.new("LA", (5, 5), (128, 0))
    stroke.putpixel((2, 2), (content, 255))
    stroke.save(tmp_path / "a.png")
    palette = Image.new("P", (5, 5), 0)
    palette.putpalette([9, 9, 9, content, content, content])
    palette.putpixel((2, 2), 1)
    palette.save(tmp_path / "b.png", transparency=0)
    for name in ("a.png", "b.png"):
        found = read(tmp_path / name)[..., 0]
        assert (found[2, 2], found[0, 0]) == (content, background)


def test_pictures_are_rotated_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees to show it upright
    GREY.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read(tmp_path / "a.png"), np.rot90(LEVELS, -1))


def test_a_path_that_is_not_a_file_is_missing_input(tmp_path: Path) -> None:
    for path in (tmp_path / "none.png", tmp_path, Path("/dev/zero"), tmp_path / ("x" * 300)):
        with pytest.raises(MissingInput):
            pictures.read_picture(path)


def saved(form: str) -> bytes:
    buffer = io.BytesIO()
    GREY.convert("RGB").save(buffer, form)
    return buffer.getvalue()


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damage_anywhere_raises_an_error_of_ours_or_is_repaired(
    form: str, changes: list[tuple[int, int]]
) -> None:
    content = bytearray(saved(form))
    for place, value in changes:
        content[place % len(content)] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged"
        path.write_bytes(content)
        try:
            picture = pictures.read_picture(path)
        except GenctlError:
            return
    assert picture.mode in ("L", "RGB")


def test_a_grid_has_background_between_its_images() -> None:
    one, two, three = (torch.full((1, 2, 3), level).byte() for level in (10, 20, 30))
    sheet = pictures.grid([[one, two], [three]], gap=1, first_column_gap=2)
    g = pictures.BACKGROUND
    assert sheet[0].tolist() == [
        [g] * 11,
        [g, 10, 10, 10, g, g, g, 20, 20, 20, g],
        [g, 10, 10, 10, g, g, g, 20, 20, 20, g],
        [g] * 11,
        [g, 30, 30, 30, *[g] * 7],
        [g, 30, 30, 30, *[g] * 7],
        [g] * 11,
    ]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_keeps_pixels_and_text(channels: int, tmp_path: Path) -> None:
    pixels = torch.randint(256, (channels, 5, 7)).byte()
    path = tmp_path / "a.png"
    path.write_bytes(pictures.png(pixels, {"genctl": "Grüße, 你好"}))
    assert torch.equal(pictures.pil_to_tensor(pictures.read_picture(path), channels), pixels)
    with Image.open(path) as picture:
        assert picture.info["genctl"] == "Grüße, 你好"
