"""Which precision ``training.precision: auto`` means on a device."""

import os
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from genctl.common import devices
from genctl.common.devices import (
    auto_precision,
    auto_training_precision,
    bf16_speedup,
    choose_precision,
    deterministic_algorithms,
    relative_error,
    without_tf32,
)

CPU = torch.device("cpu")


def test_the_relative_error_is_that_of_rounding() -> None:
    assert 1e-8 < relative_error("fp32", CPU) < 1e-5
    assert 1e-3 < relative_error("bf16", CPU) < 1e-2


def test_a_processor_without_bfloat16_gets_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_supports_bf16", lambda device: False)
    assert auto_precision(CPU)[0] == choose_precision("auto", CPU) == "fp32"
    assert choose_precision("bf16", CPU) == "bf16"


def test_wrong_convolutions_in_bfloat16_mean_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_supports_bf16", lambda device: True)
    monkeypatch.setattr(functional, "conv2d", wrong_conv2d({torch.bfloat16}))
    assert auto_precision(CPU) == ("fp32", "its convolutions in bfloat16 are wrong")


@pytest.mark.parametrize(("speedup", "precision"), [(1.5, "bf16"), (0.2, "fp32")])
def test_training_in_bfloat16_must_not_be_slow(
    speedup: float, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "auto_precision", lambda device: ("bf16", "it can"))
    monkeypatch.setattr(devices, "bf16_speedup", lambda device: speedup)
    found, reason = auto_training_precision(CPU)
    assert found == choose_precision("auto", CPU) == precision
    assert f"{speedup} times as fast" in reason or f"{speedup:.2f} times as fast" in reason


def test_the_speed_of_bfloat16_is_measured() -> None:
    assert bf16_speedup(CPU) > 0


def wrong_conv2d(dtypes: set[torch.dtype]) -> Callable[..., Tensor]:
    """A convolution that is off by 10 % in some precisions."""
    correct: Callable[..., Tensor] = functional.conv2d

    def conv2d(images: Tensor, *arguments: object, **options: object) -> Tensor:
        return correct(images, *arguments, **options) * (1.1 if images.dtype in dtypes else 1)

    return conv2d


def test_deterministic_algorithms_are_on_only_where_they_were_asked_for() -> None:
    with deterministic_algorithms(False):
        assert not torch.are_deterministic_algorithms_enabled()
    with deterministic_algorithms(True):
        assert torch.are_deterministic_algorithms_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert not torch.are_deterministic_algorithms_enabled()


def test_tf32_is_off_only_while_scores_are_made() -> None:
    before = torch.backends.cudnn.allow_tf32
    with without_tf32():
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before
