"""Files with a matching digest whose parts do not fit each other: refused with the reason."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import RunGenctl
from tests.faults.refusal import commands, refuse, require_sample
from tests.support.forge import Change, rewritten

CHANGES: dict[str, Change] = {
    "missing weight": lambda found, metadata: found.pop("model.networks.generator.first.weight"),
    "unknown weight": lambda found, metadata: found.update({"model.x": torch.zeros(1)}),
    "unknown tensor": lambda found, metadata: found.update({"x": torch.zeros(1)}),
    "NaN": lambda found, metadata: found["model.networks.generator.first.weight"].fill_(torch.nan),
    "NaN code": lambda found, metadata: found["class_codes"].fill_(torch.nan),
    "half precision": lambda found, metadata: found.update(
        {name: tensor.half() for name, tensor in found.items() if tensor.is_floating_point()}
    ),
    "8-bit codes": lambda found, metadata: found.update(
        {"class_codes": found["class_codes"].to(torch.float8_e4m3fn)}
    ),
    "other shape": lambda found, metadata: found.update(
        {"model.networks.generator.first.weight": torch.zeros(1)}
    ),
    "no codes": lambda found, metadata: found.pop("class_codes"),
    "fewer classes": lambda found, metadata: metadata["classes"].pop(),
    "numbers as class names": lambda found, metadata: metadata.update(classes=[1, 2]),
    "no config": lambda found, metadata: metadata.pop("config"),
    "a string as config": lambda found, metadata: metadata.update(config="tiny"),
    "unknown kind": lambda found, metadata: metadata["config"]["networks"].update(kind="magic"),
    "unknown key": lambda found, metadata: metadata["config"].update(extra=1),
    "wrong channels": lambda found, metadata: metadata["config"]["networks"].update(
        generator_channels=[8]
    ),
    "larger images": lambda found, metadata: metadata["config"]["data"].update(image_size=256),
    "no preprocessing": lambda found, metadata: metadata.pop("preprocessing"),
    "tiny content": lambda found, metadata: metadata["preprocessing"].update(content_size=1e-9),
    "odd background": lambda found, metadata: metadata["preprocessing"].update(background=1000),
}


@pytest.mark.fault("D6")
@pytest.mark.parametrize("what", CHANGES)
def test_a_file_whose_parts_do_not_fit_is_refused(
    what: str, genctl: RunGenctl, untrained_model: Path, tmp_path: Path
) -> None:
    path = rewritten(untrained_model, tmp_path / "changed.safetensors", CHANGES[what])
    for command in commands(path):
        refuse(genctl, command, str(path))
    require_sample(genctl, untrained_model)


def without(number: int) -> Change:
    """Remove the first tensors of the generator."""

    def change(found: dict[str, torch.Tensor], metadata: dict[str, Any]) -> None:
        for name in sorted(name for name in found if "generator" in name)[:number]:
            del found[name]

    return change


@pytest.mark.fault("D6")
@pytest.mark.parametrize(("missing", "named"), [(1, 1), (3, 3), (5, 3)])
def test_the_first_three_differences_are_named(
    missing: int, named: int, genctl: RunGenctl, untrained_model: Path, tmp_path: Path
) -> None:
    path = rewritten(untrained_model, tmp_path / "changed.safetensors", without(missing))
    done = refuse(genctl, commands(path)[0], "does not fit its own config")
    assert done.err.count(" is missing") == named


NAMED = {
    "NaN": "model.networks.generator.first.weight holds values that are not finite",
    "other shape": "networks.generator.first.weight has shape (1,), not (",
    "half precision": "is torch.float16, not torch.float32",
    "unknown weight": "x is unknown",
}


@pytest.mark.fault("D6")
@pytest.mark.parametrize("what", NAMED)
def test_what_does_not_fit_is_named(
    what: str, genctl: RunGenctl, untrained_model: Path, tmp_path: Path
) -> None:
    path = rewritten(untrained_model, tmp_path / "changed.safetensors", CHANGES[what])
    refuse(genctl, commands(path)[0], NAMED[what])


@pytest.mark.fault("D6")
def test_a_checkpoint_is_not_a_model(genctl: RunGenctl, tiny_run: Path) -> None:
    path = next((tiny_run / "checkpoints").iterdir())
    for command in commands(path):
        refuse(genctl, command, "it holds a checkpoint, not a model")
