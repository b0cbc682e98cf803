"""Several processes train the run that a single one would train, and end together."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from genctl.common import tensors
from genctl.common.errors import ConfigError, UsageError
from genctl.training import process_group
from genctl.training.process_group import ProcessGroup, local_device
from tests.conftest import REPOSITORY, run_genctl
from tests.support.processes import read_metrics
from tests.support.tiny import SMALL

SETTINGS = (
    "data.image_size=8",
    "condition.code_dim=4",
    "networks.conditional_batchnorm=true",
    *SMALL["dcgan"],
    "training.batch_size=16",
    "training.precision=fp32",
    "training.log_every=16",
    "optimizer.betas=[0.0, 0.99]",  # so that Adam's running average is the last gradient
)
ENDLESS = ("training.images=1000000", "training.checkpoint_every=1600")


def train_arguments(*more: str) -> list[str]:
    """The command line of a small run called ``run``."""
    sets = [word for setting in (*SETTINGS, *more) for word in ("--set", setting)]
    return ["train", "--config", "tiny", "--name", "run", "--device", "cpu", "--json", *sets]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def start(folder: Path, arguments: list[str], **environment: str) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_torchrun(folder: Path, *more: str) -> subprocess.Popen[str]:
    """Start two processes as a user does."""
    launcher = ["torch.distributed.run", "--nproc-per-node=2", "--master-addr=127.0.0.1"]
    port = f"--master-port={free_port()}"
    return start(folder, [*launcher, port, "-m", "genctl", *train_arguments(*more)])


def start_ranks(folder: Path, *more: str) -> list[subprocess.Popen[str]]:
    """Start two processes with torchrun's environment, but without its reaction to their ends."""
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    return [
        start(folder, ["genctl", *train_arguments(*more)], RANK=rank, LOCAL_RANK=rank, **common)
        for rank in "01"
    ]


def wait_for_all(processes: list[subprocess.Popen[str]]) -> tuple[list[int], str]:
    """The exit codes of all processes, and what the first one wrote to stderr."""
    errors = [process.communicate(timeout=120)[1] for process in processes]
    return [process.returncode for process in processes], errors[0]


def wait_for_checkpoint(folder: Path, process: subprocess.Popen[str]) -> None:
    while not list(folder.glob("runs/run/checkpoints/*.safetensors")):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)


def read_result(folder: Path) -> dict[str, object]:
    result: dict[str, object] = json.loads((folder / "runs/run/result.json").read_text())
    return result


def read_checkpoint(folder: Path) -> dict[str, torch.Tensor]:
    newest = max((folder / "runs/run/checkpoints").glob("*.safetensors"))
    return tensors.read(newest, "checkpoint")[0]


@pytest.mark.parametrize(
    "objective",
    [
        "relativistic",
        pytest.param("r3gan", marks=pytest.mark.slow),
        pytest.param("adversarial_flow", marks=pytest.mark.slow),
    ],
)
def test_gradients_are_those_of_one_process_with_the_whole_batch(
    objective: str, tmp_path: Path
) -> None:
    settings = (f"objective.kind={objective}", "training.images=32")  # two steps
    alone, together = tmp_path / "alone", tmp_path / "together"
    alone.mkdir()
    assert run_genctl(*train_arguments(*settings), cwd=alone).code == 0
    process = start_torchrun(together, *settings)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert json.loads(out)["images"] == 32  # and nothing else is on stdout
    expected, actual = read_checkpoint(alone), read_checkpoint(together)
    assert expected.keys() == actual.keys()
    gradients = [name for name in expected if name.endswith(".exp_avg")]
    statistics = [name for name in expected if "running_" in name or "transport" in name]
    assert gradients
    assert statistics
    assert all(expected[name].any() for name in gradients if "head" not in name)
    for name in (*gradients, *statistics):
        torch.testing.assert_close(actual[name], expected[name], rtol=2e-3, atol=1e-5, msg=name)
    for one, other in zip(
        read_metrics(together / "runs/run"), read_metrics(alone / "runs/run"), strict=True
    ):
        assert one["terms"] == pytest.approx(other["terms"], rel=1e-4)


def test_torchrun_may_be_stopped_and_the_run_resumed_by_one_process(tmp_path: Path) -> None:
    process = start_torchrun(tmp_path, *ENDLESS)
    wait_for_checkpoint(tmp_path, process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode != 0
    result = read_result(tmp_path)
    assert result["status"] == "interrupted", err
    environment = json.loads((tmp_path / "runs/run/environment.json").read_text())
    assert environment["processes"] == 2
    images = int(str(result["images"])) + 160
    done = run_genctl(*train_arguments(f"training.images={images}"), cwd=tmp_path)
    assert done.code == 0, done.err
    assert "processes 2 -> 1" in done.err
    assert done.json["images"] >= images


def test_a_signal_to_rank_0_ends_all_processes_with_a_checkpoint(tmp_path: Path) -> None:
    processes = start_ranks(tmp_path, *ENDLESS)
    wait_for_checkpoint(tmp_path, processes[0])
    processes[0].send_signal(signal.SIGTERM)
    codes, err = wait_for_all(processes)
    assert codes == [143, 143], err
    images = read_result(tmp_path)["images"]
    assert (tmp_path / f"runs/run/checkpoints/{images:09d}.safetensors").exists()


def test_a_signal_to_another_rank_is_left_to_rank_0(tmp_path: Path) -> None:
    processes = start_ranks(tmp_path, "training.images=3200", "training.checkpoint_every=160")
    wait_for_checkpoint(tmp_path, processes[0])
    processes[1].send_signal(signal.SIGTERM)
    codes, err = wait_for_all(processes)
    assert codes == [0, 0], err


def test_divergence_ends_all_processes(tmp_path: Path) -> None:
    codes, err = wait_for_all(start_ranks(tmp_path, "optimizer.learning_rate=1e30", *ENDLESS))
    assert codes == [3, 3], err
    assert read_result(tmp_path)["status"] == "diverged"


def kill_rank_0(processes: list[subprocess.Popen[str]]) -> int:
    processes[0].kill()
    return 1


def kill_rank_1(processes: list[subprocess.Popen[str]]) -> int:
    processes[1].kill()
    return 0


@pytest.mark.parametrize("kill", [kill_rank_0, pytest.param(kill_rank_1, marks=pytest.mark.slow)])
def test_a_killed_process_ends_the_other_which_says_how_to_continue(
    kill: Callable[[list[subprocess.Popen[str]]], int], tmp_path: Path
) -> None:
    processes = start_ranks(tmp_path, *ENDLESS)
    wait_for_checkpoint(tmp_path, processes[0])
    survivor = kill(processes)
    codes, err = wait_for_all(processes)
    assert codes[survivor] == 69
    if survivor == 0:
        assert "lost another process of this run" in err
        assert "run the same command again to continue" in err
        assert read_result(tmp_path)["status"] == "failed"


def test_a_complete_run_is_complete_for_all_processes(tmp_path: Path) -> None:
    assert run_genctl(*train_arguments("training.images=32"), cwd=tmp_path).code == 0
    processes = start_ranks(tmp_path, "training.images=32")
    codes, err = wait_for_all(processes)
    assert codes == [0, 0]
    assert "already complete" in err


def test_a_run_of_one_process_may_be_continued_by_two(tmp_path: Path) -> None:
    assert run_genctl(*train_arguments("training.images=32"), cwd=tmp_path).code == 0
    codes, err = wait_for_all(start_ranks(tmp_path, "training.images=64"))
    assert codes == [0, 0], err
    assert "processes 1 -> 2" in err
    assert read_result(tmp_path)["images"] == 64


def test_all_processes_finish_when_the_run_is_asked_to(tmp_path: Path) -> None:
    processes = start_ranks(tmp_path, *ENDLESS)
    wait_for_checkpoint(tmp_path, processes[0])
    done = run_genctl("finish", "run", "--within", "2", "--wait", "--json", cwd=tmp_path)
    codes, err = wait_for_all(processes)
    assert (done.code, codes) == (0, [0, 0]), err
    assert done.json["stopped_by"] == "finish"
    assert done.json["images"] == done.json["finish"]["end"]


def test_an_error_before_the_first_step_ends_all_processes(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/run").write_text("not a folder")
    codes, err = wait_for_all(start_ranks(tmp_path, "training.images=32"))
    assert codes == [73, 73], err


def test_a_batch_is_divided_evenly_or_refused() -> None:
    assert [ProcessGroup(rank, 4).rows(16) for rank in range(4)] == [
        slice(0, 4),
        slice(4, 8),
        slice(8, 12),
        slice(12, 16),
    ]
    for batch_size, size in ((16, 3), (16, 16)):
        with pytest.raises(ConfigError, match=rf"batch_size: 16 images .* {size} processes"):
            ProcessGroup(0, size).rows(batch_size)


def test_a_single_process_communicates_with_nobody() -> None:
    group, values = ProcessGroup(), [torch.ones(2), None]
    assert group.mean(values) is values
    assert group.broadcast(0.5) == 0.5
    group.broadcast_tensors([torch.ones(2)])
    group.send_exit(3)


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_group, "choose_device", torch.device)
    assert local_device("cuda:0") == torch.device("cuda:0")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert local_device("cuda") == torch.device("cuda:1")
    assert local_device("cpu") == torch.device("cpu")
    with pytest.raises(UsageError, match=r"--device cuda:0: each process .* use --device cuda"):
        local_device("cuda:0")
