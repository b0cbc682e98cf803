"""The file of a page: it needs nothing else, and nothing in a model can change it."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

from genctl.export import interpreter, page_file
from genctl.export.page_file import render
from genctl.export.page_model import build_page_model
from genctl.inference.sampling import sample_z
from genctl.runs import model_file
from genctl.runs.model_file import TrainedModel
from tests.support.models import save_model

HOSTILE = "</script><script>alert(1)</script><!--\"'><img src=x onerror=alert(1)>"


class Elements(HTMLParser):
    """The elements of a page, and the text of its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str | None, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        tag, attributes = self.found[-1] if self.found else ("", {})
        if tag == "script":
            name = attributes.get("id")
            self.scripts[name] = self.scripts.get(name, "") + data


@pytest.fixture
def trained(tmp_path: Path) -> TrainedModel:
    folder = tmp_path / HOSTILE.replace("/", "")
    folder.mkdir()
    path = save_model(folder / "model.safetensors", random_weights=True)
    read = model_file.read(path, torch.device("cpu"))
    return replace(read, metadata=replace(read.metadata, classes=(HOSTILE, *"123456789")))


def test_names_from_the_model_are_text(trained: TrainedModel) -> None:
    page = render(build_page_model(trained), trained).decode()
    found = Elements(page)
    tags = [tag for tag, _ in found.found]
    assert tags.count("script") == 4
    assert "img" not in tags
    assert not [key for _, attributes in found.found for key in attributes if key[:2] == "on"]
    assert json.loads(found.scripts["model"])["classes"][0] == HOSTILE


def test_nothing_is_loaded_from_elsewhere(trained: TrainedModel) -> None:
    page = render(build_page_model(trained), trained).decode()
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", page)
    links = [
        value
        for _, attributes in Elements(page).found
        for key, value in attributes.items()
        if key in ("src", "href", "srcset", "action", "data")
    ]
    assert links == ["data:,"]
    assert "default-src 'none'" in page
    assert "unsafe" not in page


def test_the_weights_in_the_file_generate_what_torch_generates(trained: TrainedModel) -> None:
    scripts = Elements(render(build_page_model(trained), trained).decode()).scripts
    model = json.loads(scripts["model"])
    numbers = np.frombuffer(base64.b64decode(scripts["weights"]), dtype="<f2")
    tensors, start = [], 0
    for shape in model["tensors"]:
        tensors.append(numbers[start : start + np.prod(shape)].reshape(shape).astype(np.float32))
        start += int(np.prod(shape))
    assert start == len(numbers)
    z, codes = sample_z(3, 0, 4, model["z_dim"]), torch.tensor(model["codes"][:4])
    torch.testing.assert_close(codes, trained.class_codes[:4], atol=1e-6, rtol=0)
    found = interpreter.run(model["programs"]["generator"], tensors, z.numpy(), codes.numpy())
    expected = trained.model.generate(z, codes).permute(0, 2, 3, 1)
    np.testing.assert_allclose(found, expected, atol=4e-3)


def test_every_file_of_the_page_is_used() -> None:
    folder = Path(page_file.__file__).parent / "page"
    used = {*page_file.ENGINE, *page_file.SCRIPTS, "page.html", "page.css"}
    assert {path.name for path in folder.iterdir()} == used
