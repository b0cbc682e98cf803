"""Fixtures of many rooms: small models and runs, and ways to run genctl."""

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

REPOSITORY = Path(__file__).parent.parent
MNIST = Path(os.environ.get("GENCTL_DATA", REPOSITORY.parent / "shared" / "data"))

# On a busy machine, threads that wait for each other are up to a hundred times slower than one.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

# A fork leaves the garbage of its parent alone: freeing it may mean waiting for threads, such as
# those of ONNX Runtime, that the fork does not have.
os.register_at_fork(after_in_child=gc.freeze)

# A background job of a shell ignores SIGINT, and nohup ignores SIGHUP; genctl would do so too.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

RunGenctl = Callable[..., "Completed"]


class Completed:
    """The exit code and the output of a process of genctl."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        """The one JSON object on stdout."""
        (line,) = self.out.splitlines()
        return json.loads(line)


def run_genctl(*arguments: object, cwd: Path, **environment: str) -> Completed:
    """Run genctl in a new process."""
    done = subprocess.run(
        [sys.executable, "-m", "genctl", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment,
        timeout=300,
        check=False,
    )
    return Completed(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def genctl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> RunGenctl:
    """Run genctl in this process, with ``tmp_path`` as its working directory."""
    from genctl.cli.app import main
    from genctl.common.signals import STOP_SIGNALS

    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Completed:
        monkeypatch.setattr(sys, "argv", ["genctl", *map(str, arguments)])
        capfd.readouterr()
        before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        with pytest.raises(SystemExit) as left:
            main()
        for number, handler in before.items():
            signal.signal(number, handler)
        out, err = capfd.readouterr()
        return Completed(int(left.value.code or 0), out, err)

    return run


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of the preset ``tiny``, trained with an image condition. Do not write."""
    folder = tmp_path_factory.mktemp("tiny")
    done = run_genctl("train", "--config", "tiny", "--name", "tiny", "--quiet", cwd=folder)
    assert done.code == 0, done.err
    return folder / "runs" / "tiny"


@pytest.fixture(scope="session")
def untrained_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file with initial weights. Do not write."""
    from tests.support.models import save_model

    return save_model(tmp_path_factory.mktemp("untrained") / "model.safetensors")


@pytest.fixture(scope="session")
def sampled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained run and a picture of samples from it. Do not write."""
    from tests.support.models import save_model
    from tests.support.processes import run_forked

    folder = tmp_path_factory.mktemp("sampled")
    (folder / "run").mkdir()
    save_model(folder / "run" / "model.safetensors")
    (folder / "run" / "config.yaml").write_text("data: {kind: digits}\n")
    done = run_forked(folder, ["sample", "--run", "run", "--n", "1", "--out", "samples.png"])
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def work_folder(sampled_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of ``sampled_folder`` to write to, and judges that are trained for a second."""
    from genctl.evaluation import judge_training

    monkeypatch.setenv("GENCTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(judge_training, "EPOCHS", 1)
    monkeypatch.setattr(judge_training, "MIN_IMAGES", 1_000)
    shutil.copytree(sampled_folder, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture(scope="session")
def uninterrupted_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of an uninterrupted short run. Do not write."""
    from tests.support.processes import run_training

    folder = tmp_path_factory.mktemp("uninterrupted")
    done = run_training(folder)
    assert done.code == 0, done.err
    return folder / "runs" / "run"


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """The folder of the real MNIST; the test is skipped where it is absent."""
    if not (MNIST / "MNIST" / "raw" / "train-images-idx3-ubyte").exists():
        pytest.skip(f"no MNIST in {MNIST}: set GENCTL_DATA")
    return MNIST
