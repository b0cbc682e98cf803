"""The page in a browser: it draws, encodes and generates as genctl does, and brings views back."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from genctl.data.pictures import read_picture, tensor_to_pil
from genctl.data.pixels import to_floats
from genctl.data.preprocess import preprocess
from genctl.export.page_file import render
from genctl.export.page_model import build_page_model
from genctl.inference.sampling import sample_z
from genctl.networks.layers.normalize import normalize
from genctl.runs import model_file
from genctl.runs.model_file import TrainedModel
from tests.support.browser import chromium
from tests.support.models import RESNET, save_model

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MODELS = {
    "dcgan": ("networks.conditional_batchnorm=true",),
    "resnet": RESNET,
    "label": ("condition.kind=label",),
    "none": ("condition.kind=none", "data.channels=3"),
}
LONG_NAMES = tuple(f"a class with a long name: {number}" for number in range(10))
SEVEN = ((0.28, 0.22), (0.72, 0.22), (0.6, 0.5), (0.45, 0.82))
THREE = ((0.3, 0.2), (0.65, 0.3), (0.45, 0.5), (0.66, 0.66), (0.3, 0.8))
LEVEL = 2 / 255  # in [-1, 1]
TEN = 10  # conditions


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TrainedModel]:
    folder = tmp_path_factory.mktemp("models")
    found = {
        name: model_file.read(
            save_model(folder / f"{name}.safetensors", *overrides, random_weights=True),
            torch.device("cpu"),
        )
        for name, overrides in MODELS.items()
    }
    metadata = replace(found["dcgan"].metadata, classes=LONG_NAMES)
    return found | {"long names": replace(found["dcgan"], metadata=metadata)}


@pytest.fixture(scope="module")
def pages(browser: Browser, models: dict[str, TrainedModel]) -> dict[str, Path]:
    written = {}
    for name, trained in models.items():
        written[name] = trained.path.with_name(f"{name}.html")
        written[name].write_bytes(render(build_page_model(trained), trained))
    return written


class Opened:
    """A page that is open in a browser, and what it said and asked for that it should not."""

    def __init__(self, page: Page, path: Path, link: str = "") -> None:
        self.page, self.problems = page, list[str]()
        page.on("console", lambda message: self.problems.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("request", lambda request: self.requested(request.url))
        self.path = path
        page.goto(path.as_uri() + link)
        self.settle()

    def requested(self, url: str) -> None:
        if not url.startswith((self.path.as_uri(), "data:", "blob:")):
            self.problems.append(f"request: {url}")

    def settle(self) -> None:
        self.page.evaluate("genctl.settled()")

    def draw(self, points: tuple[tuple[float, float], ...]) -> None:
        """A stroke with the mouse, as pointer events."""
        self.page.locator("#pad").scroll_into_view_if_needed()
        box = self.page.locator("#pad").bounding_box()
        assert box is not None
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=6)
        self.page.mouse.up()
        self.settle()

    def floats(self, expression: str) -> torch.Tensor:
        values = self.page.evaluate(f"(async () => Array.from(await ({expression})))()")
        return torch.tensor(values, dtype=torch.float32)

    def latest(self, name: str, *shape: int) -> torch.Tensor:
        return self.floats(f"genctl.latest().{name}").reshape(shape)


@pytest.fixture
def open_page(browser: Browser, pages: dict[str, Path]) -> Iterator[Any]:
    contexts, opened = [], []

    def open_(name: str, link: str = "", **options: Any) -> Opened:
        context = browser.new_context(**options)
        contexts.append(context)
        opened.append(Opened(context.new_page(), pages[name], link))
        return opened[-1]

    yield open_
    for each in opened:
        each.page.wait_for_timeout(200)  # for what it computes while idle
    for context in contexts:
        context.close()
    assert [problem for each in opened for problem in each.problems] == []


def generated(trained: TrainedModel, z: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """What torch generates, channels last as in the page."""
    with torch.no_grad():
        return trained.model.generate(z, codes).permute(0, 2, 3, 1)


@pytest.mark.parametrize("name", ["dcgan", "resnet"])
def test_a_seven_drawn_by_hand_is_seen_and_answered_as_torch_does(
    name: str, open_page: Any, models: dict[str, TrainedModel]
) -> None:
    trained, opened = models[name], open_page(name)
    size, z_dim = trained.metadata.config.data.image_size, trained.model.z_dim
    opened.draw(SEVEN)
    strokes = opened.page.evaluate("genctl.state().ends[0].strokes")
    assert [len(stroke) for stroke in strokes] == [4]  # what is straight needs no points between

    drawn = opened.floats("genctl.strokesPicture(genctl.state().ends[0].strokes, 0).pixels")
    picture = tensor_to_pil(drawn.byte().reshape(1, 256, 256))
    shape, preprocessing = trained.metadata.config.data.shape, trained.metadata.preprocessing
    framed, _ = preprocess(picture, shape, preprocessing)
    seen = opened.floats("genctl.state().ends[0].seen").reshape(1, size, size)
    assert (seen - framed.float()).abs().max() <= 1
    assert framed.max() > 200

    code = opened.floats("genctl.state().ends[0].code")[None]
    expected_code = trained.model.encode(to_floats(seen)[None])
    torch.testing.assert_close(code, expected_code, atol=5e-3, rtol=0)
    z = opened.latest("z", 12, z_dim)
    torch.testing.assert_close(z, sample_z(0, 0, 12, z_dim), atol=1e-5, rtol=0)
    expected = generated(trained, z, expected_code.expand(12, -1))
    found = opened.latest("values", 12, size, size, 1)
    assert (found - expected).abs().max() <= 2 * LEVEL
    pixels = opened.latest("pixels", 12, size, size, 1)
    assert (pixels - (expected * 127.5 + 127.5).clamp(0, 255)).abs().max() <= 2
    belief = opened.latest("belief", 10)
    encoder: Any = trained.model.networks["encoder"]
    torch.testing.assert_close(
        belief, encoder.classify(expected_code)[0].softmax(0), atol=5e-3, rtol=0
    )


@pytest.mark.parametrize("name", ["dcgan", "resnet"])
def test_ten_conditions_have_the_codes_and_pixels_of_torch(
    name: str, open_page: Any, models: dict[str, TrainedModel]
) -> None:
    trained, opened = models[name], open_page(name)
    images = trained.metadata.config.data.load("test").pixels[:TEN]
    z = sample_z(5, 0, TEN, trained.model.z_dim)
    codes = torch.stack([
        opened.floats(f"genctl.encode({image.flatten().tolist()})") for image in images
    ])  # fmt: skip
    expected_codes = trained.model.encode(to_floats(images))
    torch.testing.assert_close(codes, expected_codes, atol=5e-3, rtol=0)
    expected = generated(trained, z, expected_codes)
    arguments = f"{z.flatten().tolist()}, {codes.flatten().tolist()}, {TEN}"
    found = opened.floats(f"genctl.generate({arguments})").reshape(expected.shape)
    assert (found - expected).abs().max() <= 2 * LEVEL
    assert (expected[0] - expected[1]).abs().max() > 10 * LEVEL


def test_a_walk_goes_from_the_first_drawing_to_the_second(
    open_page: Any, models: dict[str, TrainedModel]
) -> None:
    opened = open_page("dcgan")
    opened.draw(SEVEN)
    assert opened.page.locator("#walk-slider").is_disabled()
    opened.page.get_by_text("Second drawing").click()
    opened.draw(THREE)
    ends = opened.page.evaluate("genctl.state().ends.map(({ code }) => Array.from(code))")
    assert opened.page.evaluate("genctl.state().walk") == 1
    opened.page.locator("#walk").fill("0.25")
    opened.settle()
    a, b = torch.tensor(ends)
    mixed = normalize(torch.lerp(a, b, 0.25)[None])
    torch.testing.assert_close(opened.latest("codes", 12, 16), mixed.expand(12, -1))
    assert not torch.allclose(a, b, atol=0.05)


@pytest.mark.parametrize("name", ["dcgan", "label", "none"])
def test_a_link_brings_the_same_view_back(name: str, open_page: Any) -> None:
    opened = open_page(name)
    page = opened.page
    page.locator("#another").click()
    page.locator("#seed").fill("12345678901")
    page.locator("#another").click()
    page.locator("#truncation").fill("0.7")
    page.locator("#direction1").fill("-1.35")
    if name == "dcgan":
        opened.draw(SEVEN)
        opened.draw(((0.3, 0.5), (0.6, 0.55)))
    if name != "none":
        page.locator("[data-end='1']").click()
        page.locator("[data-condition='class:3']").click()
        page.locator("#walk").fill("0.4")
    opened.settle()
    page.locator("#link").click()  # writes the link at once
    link = page.evaluate("location.hash")
    assert len(link) < 200
    again = open_page(name, link)
    assert again.page.evaluate("genctl.state().first") == 12
    assert torch.equal(again.latest("pixels", -1), opened.latest("pixels", -1))
    assert float(again.page.locator("#direction1").input_value()) == -1.35
    first = open_page(name)
    assert not torch.equal(first.latest("pixels", -1), opened.latest("pixels", -1))


@pytest.mark.parametrize(
    "link", ["#seed=-1", "#a=class:99", "#a=draw:%%%", "#z=1", "#walk=2", "#x=<b>", "#a=draw:BQ",
             "#truncation=", "#a=picture:AAA"],
)  # fmt: skip
def test_a_wrong_link_is_named_and_ignored(link: str, open_page: Any) -> None:
    opened = open_page("dcgan", link)
    assert "This link does not fit" in opened.page.locator("#message").inner_text()
    assert opened.page.evaluate("genctl.state().seed") == 0
    assert opened.latest("pixels", 12, -1).std() > 0


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_picture_is_framed_as_sample_frames_it(
    mode: str, open_page: Any, models: dict[str, TrainedModel], tmp_path: Path
) -> None:
    trained = models["dcgan"]
    rng = np.random.default_rng(0)
    paper = rng.normal(225, 4, (150, 210)).clip(0, 255).astype(np.uint8)
    paper[40:110, 100:112] = 30
    soft = Image.fromarray(paper).filter(ImageFilter.GaussianBlur(3))
    picture = soft.convert(mode)
    if mode == "RGBA":
        picture.putalpha(Image.fromarray(np.where(paper < 100, 255, 0).astype(np.uint8)))
    picture.save(tmp_path / "picture.png")
    opened = open_page("dcgan")
    opened.page.locator("#file").set_input_files(tmp_path / "picture.png")
    opened.page.locator("#clear:enabled").wait_for()
    opened.settle()
    shape, preprocessing = trained.metadata.config.data.shape, trained.metadata.preprocessing
    read = read_picture(tmp_path / "picture.png")
    expected, warnings = preprocess(read, shape, preprocessing)
    found = opened.floats("genctl.state().ends[0].pixels").reshape(expected.shape)
    assert (found - expected.float()).abs().max() <= 1
    assert bool(opened.page.locator("#message").inner_text()) == bool(warnings)
    again = open_page("dcgan", opened.page.evaluate("`#${genctl.link()}`"))
    assert torch.equal(again.latest("pixels", -1), opened.latest("pixels", -1))


def test_keys_draw_choose_and_save(open_page: Any) -> None:
    opened = open_page("dcgan")
    page = opened.page
    page.locator("#pad").focus()
    for key in ("ArrowUp", " ", "ArrowDown", "ArrowDown", "ArrowRight", " "):
        page.keyboard.press(key)
    opened.settle()
    assert page.evaluate("genctl.state().ends[0].strokes") == [[[128, 120], [128, 136], [136, 136]]]
    page.keyboard.press("n")
    assert page.evaluate("genctl.state().first") == 12
    page.keyboard.press("z")
    assert page.evaluate("genctl.state().ends[0].kind") == "any"
    with page.expect_download() as download:
        page.keyboard.press("s")
    saved = Image.open(io.BytesIO(download.value.path().read_bytes()))
    assert saved.size == (4 * 16 * 8 + 5 * 16, 3 * 16 * 8 + 4 * 16)
    page.locator("#seed").focus()
    page.keyboard.press("n")  # typed, not pressed
    assert page.evaluate("genctl.state().first") == 12


@pytest.mark.parametrize("name", ["dcgan", "long names", "label", "none"])
@pytest.mark.parametrize("width", [320, 768, 1400])
def test_nothing_is_wider_than_the_screen(name: str, width: int, open_page: Any) -> None:
    page = open_page(name, viewport={"width": width, "height": 800}).page
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    sections = page.locator("main > section").all()
    boxes = [box for section in sections if (box := section.bounding_box())]
    for one, two in combinations(boxes, 2):  # no section lies on another
        assert (
            one["x"] + one["width"] <= two["x"] + 1
            or one["y"] + one["height"] <= two["y"] + 1
            or two["y"] + two["height"] <= one["y"] + 1
        )
    for section in sections:
        assert section.evaluate("section => section.scrollWidth <= section.clientWidth")


def test_without_workers_the_page_computes_itself(browser: Browser, pages: dict[str, Path]) -> None:
    results = []
    for script in ("", "delete window.Worker"):
        context = browser.new_context()
        context.add_init_script(script)
        opened = Opened(context.new_page(), pages["dcgan"])
        results.append(opened.latest("pixels", -1))
        assert opened.problems == []
        context.close()
    assert torch.equal(*results)


def test_an_image_has_the_z_of_sample(open_page: Any, models: dict[str, TrainedModel]) -> None:
    opened = open_page("none", "#seed=77&first=250&truncation=0.5")
    z_dim = models["none"].model.z_dim
    expected = 0.5 * sample_z(77, 250, 12, z_dim)  # across two blocks
    torch.testing.assert_close(opened.latest("z", 12, z_dim), expected, atol=1e-5, rtol=0)
