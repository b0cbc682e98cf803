"""Several processes train the run that one would train."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from genctl.common import tensors
from genctl.common.errors import ConfigError
from genctl.training.process_group import ProcessGroup
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
    "optimizer.betas=[0.0, 0.99]",  # so that Adam's mean is the last gradient
)


def line(*more: str) -> list[str]:
    """The command line of a small run called ``run``."""
    sets = [word for setting in (*SETTINGS, *more) for word in ("--set", setting)]
    return ["train", "--config", "tiny", "--name", "run", "--json", "--quiet", *sets]


def torchrun(folder: Path, words: list[str], processes: int = 2) -> subprocess.Popen[str]:
    """Start the processes; they meet at a free port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}",
              "--master-addr=127.0.0.1", f"--master-port={port}", "-m", "genctl"]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    folder.mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, *launch, *words], cwd=folder, env=environment,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip


def checkpoint(folder: Path) -> dict[str, torch.Tensor]:
    newest = sorted((folder / "runs" / "run" / "checkpoints").glob("*.safetensors"))[-1]
    return tensors.read(newest, "checkpoint")[0]


@pytest.mark.parametrize("objective", ["relativistic", "r3gan"])
def test_the_gradients_are_those_of_one_process_with_the_whole_batch(
    objective: str, tmp_path: Path
) -> None:
    words = line(f"objective.kind={objective}", "training.images=32")  # the second step's are kept
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    alone.mkdir()
    assert run_genctl(*words, cwd=alone).code == 0
    process = torchrun(shared, words)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert json.loads(out)["images"] == 32  # and nothing else is on stdout
    one, both = checkpoint(alone), checkpoint(shared)
    assert one.keys() == both.keys()
    gradients = [name for name in one if name.startswith("optimizer.") and name.endswith(".mean")]
    statistics = [name for name in one if "running_" in name]
    assert all(one[name].any() for name in gradients if "head" not in name)
    for name in (*gradients, *statistics):
        torch.testing.assert_close(both[name], one[name], rtol=2e-3, atol=1e-5, msg=name)
    for shared_line, line_alone in zip(
        read_metrics(shared / "runs" / "run"), read_metrics(alone / "runs" / "run"), strict=True
    ):
        assert shared_line["terms"] == pytest.approx(line_alone["terms"], rel=1e-4)


def test_asked_to_stop_they_leave_a_checkpoint_and_one_process_may_go_on(tmp_path: Path) -> None:
    words = line("training.images=1000000", "training.checkpoint_every=1600")
    process = torchrun(tmp_path, words)
    run = tmp_path / "runs" / "run"
    while not list(run.glob("checkpoints/*.safetensors")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode != 0
    result = json.loads((run / "result.json").read_text())
    assert result["status"] == "interrupted", err
    images = result["images"]
    assert checkpoint(tmp_path)
    assert json.loads((run / "environment.json").read_text())["processes"] == 2
    done = run_genctl(*line(f"training.images={images + 160}"), cwd=tmp_path)
    assert done.code == 0, done.err
    assert "processes 2 -> 1" in done.err
    assert done.json["images"] >= images + 160


def test_a_run_that_is_complete_is_so_for_all_of_them(tmp_path: Path) -> None:
    words = line("training.images=32")
    assert run_genctl(*words, cwd=tmp_path).code == 0
    process = torchrun(tmp_path, words)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert json.loads(out)["status"] == "complete"


def test_parts_of_a_batch_are_equal_or_refused() -> None:
    assert [ProcessGroup(number, 4).rows(16) for number in range(4)] == [
        slice(0, 4), slice(4, 8), slice(8, 12), slice(12, 16)]  # fmt: skip
    for count, size in ((3, 16), (16, 16)):
        with pytest.raises(ConfigError, match=rf"batch_size: 16 images .* {count} processes"):
            ProcessGroup(0, count).rows(size)


def test_a_process_alone_exchanges_nothing() -> None:
    values = [torch.ones(2), None]
    assert ProcessGroup().mean(values) is values
    ProcessGroup().tell(1.0)  # to nobody
    ProcessGroup().share([torch.ones(2)])
