"""The operations of a page compute what the networks compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from genctl.common.errors import Unavailable, UsageError
from genctl.data.pixels import to_floats
from genctl.export import interpreter, page_model
from genctl.export.conversion import convert
from genctl.export.directions import principal_directions
from genctl.export.page_model import build_page_model
from genctl.export.program import Features, Program
from genctl.inference.sampling import sample_z
from genctl.networks.layers import cpu_conv, resnet
from genctl.networks.layers.encoders import ImageEncoder
from genctl.runs import model_file
from genctl.runs.model_file import TrainedModel
from tests.support.models import RESNET, save_model

MODELS = {
    "dcgan, image": ("networks.conditional_batchnorm=true", "networks.code_scale=0.3"),
    "dcgan, image, pooled": ("networks.encoder=pooled",),
    "dcgan, label, colour": ("condition.kind=label", "data.channels=3"),
    "dcgan, none": ("condition.kind=none",),
    "dcgan, image, three sizes": ("networks.generator_channels=[8, 6, 4]", "data.channels=3"),
    "resnet, image": RESNET,
    "resnet, none, tanh": (*RESNET, "condition.kind=none", "networks.tanh=true"),
}


def trained_model(path: Path, *overrides: str) -> TrainedModel:
    """A model whose every number is random, so that none can be left out unseen."""
    return model_file.read(save_model(path, *overrides, random_weights=True), torch.device("cpu"))


def as_images(values: interpreter.Array) -> torch.Tensor:
    return torch.from_numpy(values).permute(0, 3, 1, 2)


@pytest.mark.parametrize("kind", MODELS)
def test_the_operations_compute_what_torch_computes(kind: str, tmp_path: Path) -> None:
    trained = trained_model(tmp_path / "model.safetensors", *MODELS[kind])
    page = build_page_model(trained)
    programs, tensors = page.description["programs"], page.tensors()
    code_dim = trained.metadata.config.condition.code_dim
    z = 2 * sample_z(7, 0, 5, trained.model.z_dim)
    codes = torch.randn(5, code_dim, generator=torch.Generator().manual_seed(1))
    found = as_images(interpreter.run(programs["generator"], tensors, z.numpy(), codes.numpy()))
    expected = trained.model.generate(z, codes)
    assert expected.std() > 0.02
    torch.testing.assert_close(found, expected, atol=4e-3, rtol=4e-3)
    assert ("encoder" in programs) == ("image" in kind)
    if "encoder" in programs:
        pixels = trained.metadata.config.data.load("test").pixels[:5]
        images = to_floats(pixels)
        channels_last = images.permute(0, 2, 3, 1).numpy()
        code = trained.model.encode(images)
        found_code = interpreter.run(programs["encoder"], tensors, channels_last).reshape(5, -1)
        np.testing.assert_allclose(found_code, code, atol=5e-3)
        logits = interpreter.run(programs["classifier"], tensors, found_code).reshape(5, -1)
        encoder = trained.model.networks["encoder"]
        assert isinstance(encoder, ImageEncoder)
        expected_logits = encoder.classify(code)
        np.testing.assert_allclose(logits, expected_logits, atol=2e-2)


def test_subclasses_are_converted_as_their_base(tmp_path: Path) -> None:
    images = torch.randn(2, 6, 4, 4)
    for layer in (cpu_conv.Conv2d(6, 3, 3, 2, 1), resnet.FullDepthwiseConv2d(6, 4)):
        program = Program([Features(0, 6, 4)])
        convert(layer, program.inputs[0], program)
        tensors = [tensor.numpy() for tensor in program.tensors]
        given = images.permute(0, 2, 3, 1).numpy()
        found = as_images(interpreter.run(program.as_json(0), tensors, given))
        torch.testing.assert_close(found, layer(images))


@pytest.mark.parametrize(
    "layer",
    [nn.GroupNorm(2, 6), nn.Conv2d(6, 6, 3, dilation=2), nn.Conv2d(6, 6, 3, padding="same"),
     nn.Conv2d(6, 6, 3, padding_mode="circular", padding=1), nn.Conv2d(6, 6, (3, 1)),
     nn.Conv2d(6, 6, 3, groups=2), nn.Conv2d(6, 6, 3, groups=6),
     nn.ConvTranspose2d(6, 6, 4, 2, output_padding=1), nn.BatchNorm2d(6), nn.Linear(6, 6),
     nn.AdaptiveAvgPool2d(2), nn.Dropout()],
)  # fmt: skip
def test_a_layer_without_an_operation_is_refused(layer: nn.Module) -> None:
    program = Program([Features(0, 6, 8)])
    with pytest.raises(UsageError, match="export ONNX files instead") as error:
        convert(layer, program.inputs[0], program)
    assert error.value.exit_code == 2


def test_a_generator_of_another_family_is_refused_by_name(tmp_path: Path) -> None:
    words = ("networks.kind=unet", "networks.critic_channels=[8, 8]", "objective.kind=meanflow")
    trained = trained_model(tmp_path / "model.safetensors", *words)
    with pytest.raises(UsageError, match="the model has a generator UNet"):
        build_page_model(trained)


def test_a_model_that_fp16_cannot_hold_is_refused(tmp_path: Path) -> None:
    trained = trained_model(tmp_path / "model.safetensors", *RESNET)
    generator = trained.model.networks["generator"]
    assert isinstance(generator, resnet.Generator)
    generator.constant.data[0] = 1e5
    with pytest.raises(UsageError, match="65,504"):
        build_page_model(trained)


def test_operations_that_compute_something_else_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = trained_model(tmp_path / "model.safetensors")
    monkeypatch.setattr(page_model, "MAX_LEVELS", 1e-6)
    with pytest.raises(Unavailable, match="the generator computes something else"):
        build_page_model(trained)
    monkeypatch.setattr(page_model, "MAX_CODE_DIFFERENCE", 1e-9)
    with pytest.raises(Unavailable, match="the encoder computes something else"):
        build_page_model(trained)


def test_the_first_direction_changes_the_images_most(tmp_path: Path) -> None:
    """Compared with the change along each axis of z, measured by finite differences."""
    trained = trained_model(tmp_path / "model.safetensors", "condition.kind=none")
    model = trained.model
    directions = principal_directions(model, trained.training_codes, 6)
    torch.testing.assert_close(directions @ directions.T, torch.eye(6), atol=1e-4, rtol=0)
    z, empty = sample_z(0, 0, 64, model.z_dim), torch.empty(64, 0)

    def change(direction: torch.Tensor) -> float:
        step = 0.05 * direction
        moved = model.generate(z + step, empty) - model.generate(z - step, empty)
        return float(moved.square().mean())

    changes = [change(direction) for direction in directions]
    assert changes[0] > max(map(change, torch.eye(model.z_dim)))
    assert changes[0] > 1.2 * changes[5]
    brighter = model.generate(z + directions[0], empty) - model.generate(z - directions[0], empty)
    assert brighter.mean() > 0
