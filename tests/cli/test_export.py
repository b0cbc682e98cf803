"""genctl export --page as a command."""

from pathlib import Path
from typing import Any

import pytest

from genctl.export import page_model
from genctl.export.program import UnsupportedLayer
from tests.conftest import RunGenctl
from tests.support.models import RESNET, save_model


@pytest.mark.parametrize(
    "overrides", [(), RESNET, ("condition.kind=label",), ("condition.kind=none",)]
)
def test_the_page_is_written_and_its_path_printed(
    overrides: tuple[str, ...], genctl: RunGenctl, tmp_path: Path
) -> None:
    model = save_model(tmp_path / "model.safetensors", *overrides)
    done = genctl("export", "--run", model, "--page", "new/page.html")
    assert (done.code, done.out) == (0, "new/page.html\n")
    assert "255 levels" in done.err
    assert not Path("onnx").exists()
    assert Path("new/page.html").read_text().startswith("<!DOCTYPE html>")
    content = genctl("export", "--run", model, "--page", "page.html", "--json").json
    assert content["page"] == "page.html"
    assert 0 <= content["largest_pixel_difference"] < 2


def test_with_out_both_are_written(genctl: RunGenctl, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs `pip install .[onnx]`")
    model = save_model(tmp_path / "model.safetensors")
    done = genctl("export", "--run", model, "--page", "page.html", "--out", "onnx")
    assert done.out.splitlines() == ["onnx/generator.onnx", "onnx/encoder.onnx", "page.html"]
    assert all(Path(line).exists() for line in done.out.splitlines())


def test_a_layer_that_a_page_cannot_compute_leaves_no_file(
    genctl: RunGenctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> Any:
        raise UnsupportedLayer("a layer GroupNorm")

    monkeypatch.setattr(page_model, "convert_encoder", refuse)
    model = save_model(tmp_path / "model.safetensors")
    done = genctl("export", "--run", model, "--page", "page.html", "--json")
    assert done.json["exit_code"] == done.code == 2
    assert "the model has a layer GroupNorm, which a page cannot compute" in done.err
    assert not Path("page.html").exists()


def test_an_output_that_cannot_be_created_has_its_code(genctl: RunGenctl, tmp_path: Path) -> None:
    model = save_model(tmp_path / "model.safetensors")
    assert genctl("export", "--run", model, "--page", model / "page.html").code == 73
    (tmp_path / "folder").mkdir()
    assert genctl("export", "--run", model, "--page", "folder").code == 73
