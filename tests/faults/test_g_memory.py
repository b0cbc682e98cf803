"""Too little memory: reported as such, and nothing is lost."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from genctl.training.outputs import RunOutputs
from genctl.training.trainer import Trainer
from tests.conftest import REPOSITORY, Completed
from tests.faults.refusal import changed, contents, require_finite_files
from tests.support.models import save_model
from tests.support.processes import (
    Fault,
    after_step,
    checkpointed_images,
    differing_parts,
    limit_memory,
    on_call,
    outcome,
    run_forked,
    run_training,
)

RUN = Path("runs") / "run"
STEP = 20  # after the checkpoints of 128 and 256 images


linux = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")


def require_advice(done: Completed) -> None:
    (line,) = [line for line in done.err.splitlines() if "genctl: error:" in line]
    assert "memory" in line
    assert "; " in line, "what to do"
    assert "Traceback" not in done.err


@linux
@pytest.mark.fault("G3")
def test_a_batch_too_large_for_the_memory_is_reported(tmp_path: Path) -> None:
    large = ("--set", "training.batch_size=65536", "--set", "training.images=65536")
    done = run_training(tmp_path, *large, fault=limit_memory(300 * 2**20))
    assert done.code == done.json["exit_code"] == 71
    require_advice(done)
    assert checkpointed_images(tmp_path / RUN) == []
    assert run_training(tmp_path, "--fresh").code == 0


def out_of_memory(_: Any = None) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


MOMENTS: dict[str, tuple[Fault, list[str]]] = {
    "at the first step": (on_call(Trainer, "take_step", out_of_memory), []),
    "in the middle": (after_step(STEP, out_of_memory), ["128", "256"]),
    "in a save": (on_call(RunOutputs, "save_samples", out_of_memory), []),
}


@pytest.mark.fault("G3")
@pytest.mark.parametrize("moment", MOMENTS)
def test_after_a_gpu_ran_out_of_memory_the_run_resumes_from_the_last_checkpoint(
    moment: str, uninterrupted_run: Path, tmp_path: Path
) -> None:
    fault, left = MOMENTS[moment]
    done = run_training(tmp_path, fault=fault)
    assert done.code == done.json["exit_code"] == 71
    assert done.json["status"] == "failed"
    require_advice(done)
    assert checkpointed_images(tmp_path / RUN) == left
    require_finite_files(tmp_path / RUN)
    assert run_training(tmp_path).code == 0
    assert differing_parts(outcome(tmp_path / RUN), outcome(uninterrupted_run)) == []


COMMANDS = {
    "sample": ("sample", "--n", "3000000", "--format", "npz", "--condition", "label:1", "--out",
               "out.npz", "--batch-size", "3000000"),
    "sample for a large picture": ("sample", "--condition", "large.png", "--out", "out.png"),
    "encode a large picture": ("encode", "large.png", "--out", "out.npz"),
}  # fmt: skip


@linux
@pytest.mark.fault("G3")
@pytest.mark.parametrize("what", COMMANDS)
def test_other_commands_report_it_and_write_nothing(what: str, tmp_path: Path) -> None:
    model = save_model(tmp_path / "model.safetensors")
    Image.new("RGB", (6000, 6000)).save(tmp_path / "large.png")
    words = [*COMMANDS[what], "--run", str(model), "--quiet"]
    spare = 2**29 if what == "sample" else 30 * 2**20
    before = contents(tmp_path)
    done = run_forked(tmp_path, words, limit_memory(spare))
    assert (done.code, done.out) == (71, ""), done.err
    require_advice(done)
    streams = [str(tmp_path / "err"), str(tmp_path / "out")]
    assert [name for name in changed(before, tmp_path) if name not in streams] == []
    assert run_forked(tmp_path, ["sample", "--run", str(model), "--n", "1"]).code == 0


@linux
@pytest.mark.fault("G3")
def test_a_limit_too_small_for_torch_itself_is_reported(tmp_path: Path) -> None:
    line = f'ulimit -v 300000; exec "{sys.executable}" -m genctl "$@"'
    (tmp_path / "model.safetensors").write_bytes(b"")
    done = subprocess.run(
        ["bash", "-c", line, "genctl", "sample", "--run", "model.safetensors"],
        capture_output=True, text=True, cwd=tmp_path, check=False, timeout=120,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert done.returncode == 71, done.stderr
    require_advice(Completed(done.returncode, done.stdout, done.stderr))
