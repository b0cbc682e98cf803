"""Pictures that users bring, in every form, whole and broken."""

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
from genctl.data import pictures as images

LEVELS = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5  # 8 wide, 6 high
GREY = Image.fromarray(LEVELS)


def read(path: Path) -> np.ndarray:
    return np.asarray(images.read_picture(path))


def test_bytes_and_floats_are_each_others_inverse() -> None:
    pixels = torch.arange(256).byte()
    assert torch.equal(images.to_bytes(images.to_floats(pixels)), pixels)
    assert images.to_bytes(torch.tensor([-3.0, -1.0, 0.0, 1.0, 9.0])).tolist() == [
        0, 0, 128, 255, 255,
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "tif", "webp"])
def test_lossless_formats_give_their_levels(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    GREY.save(path, **({"lossless": True} if suffix == "webp" else {}))
    found = read(path)
    assert np.array_equal(found if found.ndim == 2 else found[..., 0], LEVELS)


def test_jpeg_gives_nearly_its_levels(tmp_path: Path) -> None:
    GREY.resize((80, 60)).save(tmp_path / "a.jpg", quality=95)
    expected = np.asarray(GREY.resize((80, 60)), dtype=int)
    assert np.abs(read(tmp_path / "a.jpg") - expected).max() < 12


def test_an_animation_gives_its_first_picture(tmp_path: Path) -> None:
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
    "RGBA, nothing there": (Image.new("RGBA", (3, 2), (0, 0, 0, 0)), [WHITE] * 3),
}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_becomes_8_bit_grey_or_colour(mode: str, tmp_path: Path) -> None:
    picture, expected = MODES[mode]
    picture.save(tmp_path / "a.tif")
    assert np.all(read(tmp_path / "a.tif") == expected)


@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (255, 0)])
def test_a_stroke_on_nothing_is_laid_where_it_can_be_seen(
    ink: int, ground: int, tmp_path: Path
) -> None:
    stroke = Image.new("LA", (5, 5), (128, 0))
    stroke.putpixel((2, 2), (ink, 255))
    stroke.save(tmp_path / "a.png")
    palette = Image.new("P", (5, 5), 0)
    palette.putpalette([9, 9, 9, ink, ink, ink])
    palette.putpixel((2, 2), 1)
    palette.save(tmp_path / "b.png", transparency=0)
    for name in ("a.png", "b.png"):
        found = read(tmp_path / name)[..., 0]
        assert (found[2, 2], found[0, 0]) == (ink, ground)


def test_a_camera_held_sideways_gives_an_upright_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to see it upright
    GREY.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read(tmp_path / "a.png"), np.rot90(LEVELS, -1))


@pytest.mark.parametrize("name", ["-a.png", "a b.png", "a\nb.png", "ä.png", "[1].png"])
def test_a_picture_may_have_any_name(name: str, tmp_path: Path) -> None:
    GREY.save(tmp_path / name, "PNG")
    assert np.array_equal(read(tmp_path / name), LEVELS)


def test_what_is_not_there_or_no_file_is_missing(tmp_path: Path) -> None:
    for path in (tmp_path / "none.png", tmp_path, Path("/dev/zero"), tmp_path / ("x" * 300)):
        with pytest.raises(MissingInput):
            images.read_picture(path)


def saved(form: str) -> bytes:
    buffer = io.BytesIO()
    GREY.convert("RGB").save(buffer, form)
    return buffer.getvalue()


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damage_anywhere_gives_a_picture_or_a_refusal(
    form: str, changes: list[tuple[int, int]]
) -> None:
    content = bytearray(saved(form))
    for place, value in changes:
        content[place % len(content)] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged"
        path.write_bytes(content)
        try:
            picture = images.read_picture(path)
        except GenctlError:
            return
    assert picture.mode in ("L", "RGB")


def test_a_grid_lays_images_out_with_ground_between() -> None:
    one, two, three = (torch.full((1, 2, 3), level).byte() for level in (10, 20, 30))
    sheet = images.grid([[one, two], [three]], gap=1, lead=2)
    g = images.GROUND
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
    path.write_bytes(images.png(pixels, {"genctl": "Grüße, 你好"}))
    assert torch.equal(images.pixels_of(images.read_picture(path), channels), pixels)
    with Image.open(path) as picture:
        assert picture.info["genctl"] == "Grüße, 你好"
