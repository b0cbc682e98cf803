"""Pictures that are damaged or unpack to gigabytes, and unusual ones that are valid."""

import io
import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from tests.conftest import RunGenctl
from tests.faults.refusal import changed, contents, refuse, require_line
from tests.support.models import save_model
from tests.support.processes import limit_memory, run_forked

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
SPARE = 100 * 2**20  # bytes of memory that a refusal may need
LEVELS = np.arange(1024, dtype=np.uint8).reshape(32, 32)
GREY = Image.fromarray(LEVELS)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model") / "model.safetensors")


def saved(form: str, picture: Image.Image = GREY, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


# -- F1: bad and unusual pictures ------------------------------------------------------------------

BAD = {
    "empty": b"",
    "text": b"This is not a picture.\n",
    "only the header of a PNG": saved("PNG")[:33],
    "a cut PNG": saved("PNG")[:-30],
    "a cut JPEG": saved("JPEG")[:300],
    "a cut GIF": saved("GIF")[:-40],
    "a PNG with a wrong byte": saved("PNG")[:60] + b"!" + saved("PNG")[61:],
    "a PNG without a width": saved("PNG").replace(struct.pack(">II", 32, 32), bytes(8)),
}  # fmt: skip


@pytest.mark.fault("F1")
@pytest.mark.parametrize("what", BAD)
def test_a_bad_picture_is_refused_before_anything_is_written(
    what: str, genctl: RunGenctl, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "some").mkdir()
    for name in ("a.png", "z.png"):
        GREY.save(tmp_path / "some" / name)
    bad = tmp_path / "some" / "m.png"
    bad.write_bytes(BAD[what])
    for command in (
        ("encode", "some", "--run", model, "--out", "codes.npz"),
        ("encode", "some/m.png", "--run", model, "--out", "codes.csv"),
        ("sample", "--run", model, "--condition", "some", "--out", "out.png"),
        ("sample", "--run", model, "--condition", "mix:some/a.png,some/m.png", "--out", "out.png"),
    ):
        refuse(genctl, command, "cannot use some/m.png: ")
    bad.unlink()
    done = genctl("encode", "some", "--run", model, "--json")
    assert (done.code, done.json["images"]) == (0, 2)


def rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees to show it upright
    return saved("PNG", Image.fromarray(np.rot90(LEVELS)), exif=exif)


UNUSUAL = {
    "plain": saved("PNG"),
    "rotated by its camera": rotated(),
    "colour": saved("PNG", GREY.convert("RGB")),
    "opaque RGBA": saved("PNG", GREY.convert("RGBA")),
    "16 bits": saved("PNG", Image.fromarray(LEVELS.astype(np.uint16) * 257)),
    "a palette": saved("PNG", GREY.convert("P")),
    "CMYK": saved("TIFF", GREY.convert("RGB").convert("CMYK")),
    "the first of two frames": saved(
        "GIF", GREY, save_all=True, append_images=[Image.new("L", (32, 32))]
    ),
    "BMP": saved("BMP"),
    "lossless WebP": saved("WEBP", GREY.convert("RGB"), lossless=True),
}


@pytest.mark.fault("F1")
@pytest.mark.parametrize("what", UNUSUAL)
def test_an_unusual_picture_has_the_code_of_the_plain_one(
    what: str, genctl: RunGenctl, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "plain.png").write_bytes(saved("PNG"))
    (tmp_path / "unusual.png").write_bytes(UNUSUAL[what])
    words = ("plain.png", "unusual.png", "--run", model, "--out", "codes.jsonl", "--quiet")
    assert genctl("encode", *words).code == 0
    plain, unusual = (
        json.loads(line)["code"] for line in Path("codes.jsonl").read_text().splitlines()
    )
    assert np.allclose(plain, unusual, atol=1e-2)


@pytest.mark.fault("F1")
@pytest.mark.parametrize(
    "name", ["a b.png", "a\nb.png", "-a.png", "ä.png", "[1].png", "\udcff.png"]
)
def test_a_picture_may_have_any_name(
    name: str, genctl: RunGenctl, model: Path, tmp_path: Path
) -> None:
    GREY.save(tmp_path / name, "PNG")
    words = ("encode", "--run", model, "--out", "codes.jsonl", "--quiet", "--", name)
    done = genctl(*words)
    assert (done.code, done.err) == (0, "")
    assert json.loads(Path("codes.jsonl").read_text())["path"] == name


# -- F2: bombs ------------------------------------------------------------------------------------


def chunk(content: bytes) -> bytes:
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header claims this size."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (head, b"IDAT" + zlib.compress(bytes(1000)), b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(chunk, parts))


def png_with_long_text(key: str) -> bytes:
    """A small picture with 200 MB of compressed text."""
    whole = saved("PNG")
    text = zlib.compress(b" " * 200_000_000, 9)
    return whole[:33] + chunk(b"zTXt" + key.encode() + b"\0\0" + text) + whole[33:]


def file_of_size(form: str, width: int, height: int) -> bytes:
    """A file of another format whose header claims this size."""
    content = bytearray(saved(form, GREY.convert("RGB")))
    match form:
        case "BMP":
            content[18:26] = struct.pack("<ii", width, height)
        case "GIF":
            content[6:10] = struct.pack("<HH", width, height)
        case "JPEG":
            place = content.index(b"\xff\xc0") + 5
            content[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def tiff_of_size(width: int, height: int) -> bytes:
    entries = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1),
               (273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, 2**31)]  # fmt: skip
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4)


BOMBS = {
    "20,000 squared": png_of_size(20_000, 20_000),
    "10,000 squared": png_of_size(10_000, 10_000),
    "8,000 squared": png_of_size(8_000, 8_000),
    "2^31 squared": png_of_size(2**31 - 1, 2**31 - 1),
    "a long line": png_of_size(2**31 - 1, 1),
    "200 MB of text": png_with_long_text("Comment"),
    "a huge BMP": file_of_size("BMP", 100_000, 100_000),
    "a huge GIF": file_of_size("GIF", 65_535, 65_535),
    "a huge JPEG": file_of_size("JPEG", 65_500, 65_500),
    "a huge TIFF": tiff_of_size(100_000, 100_000),
    "PDF": saved("PDF"),
    "EPS": saved("EPS"),
    "FITS": b"SIMPLE  =                    T".ljust(2880),
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100),
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
}


@linux
@pytest.mark.fault("F2")
@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_is_refused_with_little_memory(what: str, model: Path, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(BOMBS[what])
    before = contents(tmp_path)
    words = ["encode", "bomb.png", "--run", str(model), "--quiet"]
    done = run_forked(tmp_path, words, limit_memory(SPARE))
    assert (done.code, done.out) == (65, ""), done.err
    require_line(done, "cannot use bomb.png: ")
    streams = [str(tmp_path / "err"), str(tmp_path / "out")]
    assert [name for name in changed(before, tmp_path) if name not in streams] == []
    bomb.write_bytes(saved("PNG"))
    assert run_forked(tmp_path, words).code == 0


@linux
@pytest.mark.fault("F2")
@pytest.mark.parametrize("side", [8_000, 10_000, 20_000])
def test_a_picture_with_a_huge_size_is_refused_for_its_size(
    side: int, genctl: RunGenctl, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(png_of_size(side, side))
    refuse(genctl, ("sample", "--run", model, "--condition", "a.png"), "make it smaller")


@pytest.mark.fault("F2")
def test_a_picture_with_a_long_but_harmless_text_is_read(
    genctl: RunGenctl, model: Path, tmp_path: Path
) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * 100_000, zip=True)
    GREY.save(tmp_path / "a.png", pnginfo=text)
    assert genctl("encode", "a.png", "--run", model, "--quiet").code == 0
