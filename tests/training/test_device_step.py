"""A step as a GPU would execute it, on the `meta` device: shapes are computed, numbers are not.

There everything that stops a GPU, or that a CUDA graph cannot contain, becomes an error.
"""

from __future__ import annotations

import gc
from collections import Counter
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from genctl.common.registry import kinds
from genctl.config import config as configs
from genctl.config.build import build_model
from genctl.config.config import Config
from genctl.data.base import Images
from genctl.training.state import State
from genctl.training.step import Step
from tests.support.tiny import images, tiny
from tests.training.builders import AUGMENT, CONDITIONS, CRITICS, build_step, positions

META = torch.device("meta")
WAITING = {"_local_scalar_dense", "nonzero", "equal", "is_nonzero", "_unique2"}
"""Operations for which the CPU waits for the GPU."""
FREE = {
    "empty",
    "empty_like",
    "empty_strided",
    "new_empty",
    "new_empty_strided",
    "detach",
    "lift_fresh",
}
"""Operations that are not views, but compute nothing."""


class DeviceOnly(TorchDispatchMode):
    """Fails where a step touches the CPU's memory, or waits for the device; counts operations."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: object, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.overloadpacket.__name__
        assert name not in WAITING, f"{name} makes the CPU wait"
        output = func(*args, **(kwargs or {}))
        for value in tree_leaves((args, kwargs, output)):
            assert not isinstance(value, Tensor) or value.device == META, (
                f"{name} on {value.device}"
            )
        if not func.is_view and name not in FREE:
            self.operations[name] += 1
        return output


@pytest.fixture(autouse=True)
def meta_is_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the two things that `meta` lacks: autocast, and the fused optimizer."""

    def fused_adam(
        parameters: list[Tensor], gradients: list[Tensor], *more: Any, **rest: Any
    ) -> None:
        for parameter, gradient in zip(parameters, gradients, strict=True):
            assert parameter.stride() == gradient.stride(), (
                "the fused optimizer needs equal strides"
            )

    monkeypatch.setattr("genctl.training.step.autocast", lambda precision, device: nullcontext())
    monkeypatch.setattr(torch, "_fused_adam_", fused_adam)


def meta_step(config: Config, images: Images, augment: bool = False) -> Step:
    model = build_model(config, len(images.classes))
    model.to(META).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    on_meta = images.to(META)
    # Found out once, before any step is recorded.
    vars(on_meta)["_by_class"] = tuple(tensor.to(META) for tensor in images._by_class)
    started = config.objective.augment_state(len(images), META) if augment else None
    return Step(config, State(config.optimizer, model, started), on_meta, "fp32")


def counted(step: Step) -> dict[str, Counter[str]]:
    """The operations of each variant of a step."""
    counts = {}
    first, *more = positions(step, 0, 40)
    inputs = step.inputs(first)
    step.compute(step.variant(first), inputs)  # creates the tensors of random numbers
    for position in more:
        variant = step.variant(position)
        if variant not in counts:
            step.refill(inputs, position)
            with DeviceOnly() as mode:
                step.compute(variant, inputs)
            counts[variant] = mode.operations
    return counts


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("objective", kinds("objectives"))
@pytest.mark.parametrize("family", kinds("networks"))
def test_a_step_never_leaves_the_device(family: str, objective: str, condition: str) -> None:
    if objective == "vae" and family != "dcgan":
        pytest.skip("a VAE needs the dcgan family")
    if objective == "meanflow" and family != "unet":
        pytest.skip("MeanFlow needs the unet family")
    repeats = ("objective.critic_steps=2",) if objective == "wgan_gp" else ()
    settings = (f"objective.kind={objective}", *repeats, *CONDITIONS[condition])
    config = tiny(*settings, family=family)
    counts = counted(meta_step(config, images()))
    assert all(counts.values())


@pytest.mark.parametrize("form", ["split", "improved"])
def test_every_form_of_meanflow_stays_on_the_device(form: str) -> None:
    settings = ("objective.kind=meanflow", f"objective.form={form}", "objective.guidance=2")
    config = tiny(*settings, *CONDITIONS["image"], family="unet")
    assert all(counted(meta_step(config, images())).values())


@pytest.mark.parametrize("objective", CRITICS)
def test_augmentation_never_leaves_the_device(objective: str) -> None:
    repeats = ("objective.critic_steps=2",) if objective == "wgan_gp" else ()
    config = tiny(f"objective.kind={objective}", *repeats, "data.channels=3", *AUGMENT)
    counts = counted(meta_step(config, images(channels=3), augment=True))
    without = counted(meta_step(config, images(channels=3)))
    for variant, operations in counts.items():
        more = operations.total() - without[variant].total()
        assert 0 < more < 400, (variant, more)


RESNET = ("networks.kind=resnet", "networks.channels=[256,256,128,64]", "objective.kind=r3gan")
BUDGETS = {
    ("mnist_cgan",): 470,
    ("mnist_gan",): 340,
    ("seed_cgan",): 400,
    ("stacked_mnist_gan", *RESNET, "networks.blocks_per_resolution=2"): 680,
}
"""The most operations a step of a preset, with settings, may consist of. A GPU spends most of a
step between them; a loop over groups or weights would make it hundreds more."""


@pytest.mark.parametrize("words", BUDGETS, ids=lambda words: words[0])
def test_a_step_is_few_operations(words: tuple[str, ...]) -> None:
    config = configs.load(words[0], [*words[1:], "training.batch_size=4"])
    shape = config.data.shape
    pixels = torch.zeros(20, shape.channels, shape.size, shape.size, dtype=torch.uint8)
    step = meta_step(config, Images(pixels, torch.arange(20) % 10, tuple("0123456789")))
    for variant, operations in counted(step).items():
        assert operations.total() <= BUDGETS[words], (variant, operations.most_common(12))


@pytest.mark.parametrize("condition", CONDITIONS)
def test_nothing_of_a_step_survives_it(condition: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph of gradients that stays alive would be read by later steps, or eat memory."""
    monkeypatch.undo()
    step = build_step(tiny("objective.kind=relativistic", *CONDITIONS[condition]))
    for position in positions(step, 0, 3):
        step.compute(step.variant(position), step.inputs(position))
    gc.collect()
    gc.disable()
    try:
        for position in positions(step, 3, 6):
            step.compute(step.variant(position), step.inputs(position))
        tensors = [item for item in gc.get_objects() if issubclass(type(item), Tensor)]
        alive = [tensor for tensor in tensors if tensor.grad_fn is not None]
        assert alive == []
        assert gc.collect() == 0, "cycles keep tensors until Python looks for them"
    finally:
        gc.enable()
