"""genctl doctor: what it reports is what a run would use."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from genctl.common import tensors
from genctl.common.devices import choose_precision
from genctl.data.digits import Digits
from genctl.training.engines.choice import auto_engine
from tests.common.test_devices import wrong_conv2d
from tests.conftest import RunGenctl

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENCTL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GENCTL_CACHE", str(tmp_path / "cache"))


def test_it_reports_what_a_run_would_use(genctl: RunGenctl) -> None:
    done = genctl("doctor", "--device", "cpu", "--json")
    assert (done.code, done.json["problems"]) == (0, [])
    found = done.json
    assert torch.__version__.startswith(found["versions"]["torch"])
    assert found["threads"] == torch.get_num_threads()
    (cpu,) = (entry for entry in found["devices"] if entry["device"] == "cpu")
    assert cpu["precision"] == choose_precision("auto", CPU)
    assert f"auto is {cpu['precision']}, since {cpu['precision_reason']}" in done.err
    assert (cpu["engine"], cpu["engine_reason"]) == auto_engine(CPU)
    assert f"auto is {cpu['engine']}, since {cpu['engine_reason']}" in done.err
    assert "no problems found" in done.err


def test_it_finds_data_without_downloading_any(genctl: RunGenctl, tmp_path: Path) -> None:
    raw = tmp_path / "data" / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte").touch()
    data = genctl("doctor", "--json").json["data"]
    assert data["digits"] == str(Digits().local_path())
    assert data["kmnist"] == str(raw)
    assert data["mnist"] is data["cifar10"] is None
    assert "folder" not in data, "its path is a setting"
    assert {path.name for path in tmp_path.rglob("*")} == {
        "data", "KMNIST", "raw", "train-images-idx3-ubyte"
    }  # fmt: skip


@pytest.mark.mnist
def test_mnist_is_found_when_no_file_is_missing(
    genctl: RunGenctl, mnist_root: Path, tmp_path: Path
) -> None:
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    *first, last = (mnist_root / "MNIST" / "raw").glob("*ubyte")
    for path in first:
        (raw / path.name).symlink_to(path)
    assert genctl("doctor", "--json").json["data"]["mnist"] is None
    (raw / last.name).symlink_to(last)
    assert genctl("doctor", "--json").json["data"]["mnist"] == str(raw)


def test_judges_are_listed_with_their_test_accuracy(genctl: RunGenctl, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "judges"
    folder.mkdir(parents=True)
    metadata = {"kind": "judge", "accuracy": 0.9875}
    tensors.write(folder / "good-v1.safetensors", {"weight": torch.zeros(1)}, metadata)
    (folder / "torn-v1.safetensors").write_bytes(b"torn")
    done = genctl("doctor", "--json")
    assert done.json["judges"]["accuracy"] == {"good-v1": 0.9875, "torn-v1": None}
    assert "good-v1: test accuracy 98.75%" in done.err
    assert "torn-v1: damaged" in done.err


def test_a_device_that_computes_wrongly_is_a_problem(
    genctl: RunGenctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functional, "conv2d", wrong_conv2d({torch.bfloat16}))
    assert genctl("doctor", "--device", "cpu").code == 0, "fp32 is used instead"
    monkeypatch.setattr(functional, "conv2d", wrong_conv2d({torch.float32}))
    done = genctl("doctor", "--device", "cpu", "--json")
    assert (done.code, done.json["exit_code"]) == (69, 69)
    assert "wrong results in fp32" in done.json["problems"][0]
    assert "--device cpu" in done.err.splitlines()[-1]
