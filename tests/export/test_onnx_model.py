"""genctl export: ONNX files compute what genctl computes."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genctl.data.pixels import to_uint8
from genctl.export import onnx_model
from genctl.inference import sampling
from genctl.runs import model_file
from tests.conftest import RunGenctl
from tests.support.models import RESNET, save_model

needs_onnx = pytest.mark.skipif(
    not all(find_spec(name) for name in onnx_model.REQUIRED_PACKAGES),
    reason="needs `pip install .[onnx]`",
)

MODELS = {
    "dcgan, image": ("networks.conditional_batchnorm=true",),
    "dcgan, none": ("condition.kind=none",),
    "dcgan, image, three sizes": ("networks.generator_channels=[8, 6, 4]",),
    "resnet, label": (*RESNET, "condition.kind=label"),
}


def session(path: str) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@needs_onnx
@pytest.mark.parametrize("kind", MODELS)
def test_the_files_compute_what_sample_and_encode_compute(
    kind: str, genctl: RunGenctl, tmp_path: Path
) -> None:
    overrides = (*MODELS[kind], "training.precision=fp32")
    model = save_model(tmp_path / "model.safetensors", *overrides)
    done = genctl("export", "--run", model, "--out", "there/onnx", "--json")
    assert done.code == 0, done.err
    conditional = kind != "dcgan, none"
    names = ["generator", "encoder"] if conditional else ["generator"]
    paths = [f"there/onnx/{name}.onnx" for name in names]
    assert list(done.json["largest_difference"]) == paths
    assert sorted(path.name for path in Path("there/onnx").iterdir()) == sorted(
        f"{name}.onnx" for name in names
    )

    trained = model_file.read(model, torch.device("cpu"))
    generator = session(paths[0])
    z = sampling.sample_z(0, 0, 5, trained.model.z_dim)
    codes = trained.class_codes[:5] if conditional else torch.empty(5, 0)
    feeds = {"z": z.numpy()} | ({"code": codes.numpy()} if conditional else {})
    (images,) = generator.run(["images"], feeds)
    expected = sampling.generate(trained.model, z, codes).int()
    assert (to_uint8(torch.from_numpy(images)).int() - expected).abs().max() <= 1
    metadata = json.loads(generator.get_modelmeta().custom_metadata_map["genctl"])
    assert metadata == {"model_sha256": trained.digest, "classes": list("0123456789")}

    if conditional:
        test_images = trained.metadata.config.data.load("test")
        inputs = trained.model.condition.encoder_inputs(test_images, torch.arange(9))
        (found,) = session(paths[1]).run(["codes"], {"condition": inputs.numpy()})
        np.testing.assert_allclose(found, sampling.encode(trained.model, inputs), atol=1e-4)


@needs_onnx
def test_a_network_that_computes_something_else_is_not_written(
    genctl: RunGenctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    class Wrong(onnxruntime.InferenceSession):  # type: ignore[misc]
        def run(self, *arguments: Any) -> Any:
            return [found + 1e-3 for found in super().run(*arguments)]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Wrong)
    model = save_model(tmp_path / "model.safetensors")
    done = genctl("export", "--run", model)
    assert done.code == 69
    assert "off by 0.001" in done.err
    assert not Path("onnx").exists()


def test_without_the_extra_the_error_says_how_to_install_it(
    genctl: RunGenctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_model, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    done = genctl("export", "--run", save_model(tmp_path / "model.safetensors"))
    assert (done.code, done.out) == (69, "")
    assert "pip install 'genctl[onnx]'" in done.err
    assert not Path("onnx").exists()
