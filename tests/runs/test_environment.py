"""What environment.json says, and what of it a resumed run compares."""

from typing import Any

import pytest
import torch

from genctl.runs import environment
from tests.support.tiny import images


def describe(device: str, **settings: Any) -> dict[str, Any]:
    return environment.describe(torch.device(device), "fp32", images(), {}, **settings)


def test_a_cpu_always_repeats_its_bits() -> None:
    assert describe("cpu")["deterministic"] is True
    assert describe("cpu")["cuda"] is describe("cpu")["cudnn"] is None


def test_a_gpu_repeats_its_bits_only_if_it_was_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "GPU")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91900)
    plain = describe("cuda")
    asked = describe("cuda", deterministic=True)
    assert (plain["deterministic"], asked["deterministic"]) == (False, True)
    assert (plain["cuda"], plain["cudnn"]) == ("13.0", 91900)
    assert environment.changes(plain, asked) == ["deterministic False -> True"]
    assert environment.changes(plain, plain | {"cudnn": 1}) == ["cudnn 91900 -> 1"]


def test_what_an_earlier_version_did_not_record_has_not_changed() -> None:
    now = describe("cpu")
    before = {key: value for key, value in now.items() if key not in ("cudnn", "deterministic")}
    assert environment.changes(before, now) == []
    assert environment.changes(before | {"threads": 99}, now) == [f"threads 99 -> {now['threads']}"]
