"""genctl doctor: what it says is what a run would use."""

from pathlib import Path

import pytest
import torch

from genctl.common import devices, tensors
from genctl.common.devices import (
    auto_precision,
    auto_training_precision,
    choose_precision,
    relative_error,
)
from genctl.data.digits import Digits
from genctl.training.engines.choice import auto_engine
from tests.conftest import Run

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENCTL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GENCTL_CACHE", str(tmp_path / "cache"))


def test_it_tells_what_a_run_would_use(genctl: Run) -> None:
    done = genctl("doctor", "--device", "cpu", "--json")
    assert (done.code, done.json["problems"]) == (0, [])
    found = done.json
    assert found["versions"]["torch"] == torch.__version__.partition("+")[0] or (
        found["versions"]["torch"] == torch.__version__
    )
    assert found["threads"] == torch.get_num_threads()
    (cpu,) = (entry for entry in found["devices"] if entry["device"] == "cpu")
    assert cpu["precision"] == choose_precision("auto", CPU)
    assert f"training.precision auto is {cpu['precision']}: {cpu['why']}" in done.err
    assert cpu["engine"] == auto_engine(CPU)[0]
    assert f"training.engine auto is {cpu['engine']}: {cpu['why_engine']}" in done.err


def test_it_finds_data_without_downloading_any(genctl: Run, tmp_path: Path) -> None:
    raw = tmp_path / "data" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte").touch()
    data = genctl("doctor", "--json").json["data"]
    assert data["digits"] == str(Digits().found())
    assert data["fashion_mnist"] == str(raw)
    assert data["mnist"] is data["cifar10"] is None
    assert "folder" not in data, "its place is a setting"
    assert {path.name for path in tmp_path.rglob("*")} == {
        "data", "FashionMNIST", "raw", "train-images-idx3-ubyte"
    }  # fmt: skip


@pytest.mark.mnist
def test_mnist_is_found_when_no_file_is_missing(
    genctl: Run, mnist_root: Path, tmp_path: Path
) -> None:
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    *first, last = (mnist_root / "MNIST" / "raw").glob("*ubyte")
    for path in first:
        (raw / path.name).symlink_to(path)
    assert genctl("doctor", "--json").json["data"]["mnist"] is None
    (raw / last.name).symlink_to(last)
    assert genctl("doctor", "--json").json["data"]["mnist"] == str(raw)


def test_judges_are_told_with_their_accuracy(genctl: Run, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "judges"
    folder.mkdir(parents=True)
    metadata = {"kind": "judge", "accuracy": 0.9875}
    tensors.write(folder / "good-v1.safetensors", {"weight": torch.zeros(1)}, metadata)
    (folder / "torn-v1.safetensors").write_bytes(b"torn")
    done = genctl("doctor", "--json")
    assert done.json["judges"]["accuracy"] == {"good-v1": 0.9875, "torn-v1": None}
    assert "98.75%" in done.err
    assert "torn-v1: damaged" in done.err


def test_a_machine_that_computes_wrongly_is_not_usable(
    genctl: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = torch.nn.functional.conv2d
    monkeypatch.setattr(devices, "_supports_bf16", lambda device: True)

    def wrong(x: torch.Tensor, *rest: object, **options: object) -> torch.Tensor:
        return right(x, *rest, **options) * (1.1 if x.dtype in broken else 1)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.nn.functional, "conv2d", wrong)
    broken = {torch.bfloat16}
    assert auto_precision(CPU) == ("fp32", "its convolutions in bfloat16 are wrong")
    assert genctl("doctor", "--device", "cpu").code == 0
    broken |= {torch.float32}
    done = genctl("doctor", "--device", "cpu", "--json")
    assert (done.code, done.json["exit_code"]) == (69, 69)
    assert "computes wrongly in fp32" in done.json["problems"][0]
    assert "cpu" in done.err.splitlines()[-1]


def test_the_relative_error_is_that_of_rounding() -> None:
    assert 1e-8 < relative_error("fp32", CPU) < 1e-5
    assert 1e-3 < relative_error("bf16", CPU) < 1e-2


def test_a_processor_without_bfloat16_gets_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_supports_bf16", lambda device: False)
    assert auto_precision(CPU)[0] == choose_precision("auto", CPU) == "fp32"
    assert choose_precision("bf16", CPU) == "bf16"


@pytest.mark.parametrize(("speedup", "precision"), [(1.5, "bf16"), (0.2, "fp32")])
def test_training_in_bfloat16_must_not_be_slow(
    speedup: float, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "auto_precision", lambda device: ("bf16", "it can"))
    monkeypatch.setattr(devices, "bf16_speedup", lambda device: speedup)
    found, why = auto_training_precision(CPU)
    assert found == choose_precision("auto", CPU) == precision
    assert f"{speedup} times as fast" in why or f"{speedup:.2f} times as fast" in why


def test_the_speedup_is_measured() -> None:
    assert devices.bf16_speedup(CPU) > 0
