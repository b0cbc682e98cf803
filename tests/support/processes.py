"""Short runs in processes of their own, which things can happen to, and what is left of them.

A process is a fork of this one, so that torch need not be loaded again and so that what a test
breaks in it stays broken in it alone.
"""

import errno
import json
import mmap
import os
import resource
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sklearn.datasets  # noqa: F401 (loaded once here, not in every fork)
import torch
import torch.utils.tensorboard

from genctl.common import files, tensors
from genctl.training.trainer import Trainer
from tests.conftest import Completed
from tests.support.tiny import SMALL

SETTINGS = (
    "data.image_size=8",
    "condition.code_dim=4",
    *SMALL["dcgan"],
    "training.images=480",
    "training.batch_size=16",
    "training.checkpoint_every=128",
    "training.log_every=48",
)
"""30 steps; checkpoints after 128, 256, 384 and 480 images."""

SCORED = (
    *SETTINGS,
    "data.image_size=16",
    "networks.generator_channels=[8,8]",
    "networks.critic_channels=[8,8]",
    "evaluation.every=96",
    "evaluation.num_samples=100",
)
"""The same with images that a judge can look at, scored five times."""

Fault = Callable[[], None]


def no_fault() -> None:
    """Let the run be."""


def train_arguments(*more: str, settings: tuple[str, ...] = SETTINGS) -> list[str]:
    """The command line of a short run called ``run``."""
    sets = [word for setting in settings for word in ("--set", setting)]
    return ["train", "--config", "tiny", "--name", "run", "--json", *sets, *more]


class ImageCounter:
    """Counts the images that a run in a fork has seen; can be read after the fork was killed."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8)

    @property
    def images(self) -> int:
        """After the last whole step of the last part."""
        return int.from_bytes(self._memory[:], "little")

    def watch(self) -> None:
        """Count from here on, in this process: a fault."""
        step = Trainer.take_step

        def counted(trainer: Trainer, progress: float) -> None:
            step(trainer, progress)
            self._memory[:] = trainer.state.to_uint8(8, "little")

        Trainer.take_step = counted  # type: ignore[method-assign]


def run_training(folder: Path, *more: str, fault: Fault = no_fault) -> Completed:
    """Train below ``folder`` in a fork in which ``fault`` comes first."""
    return run_forked(folder, train_arguments(*more), fault)


def run_forked(folder: Path, words: list[str], fault: Fault = no_fault) -> Completed:
    """Run genctl in ``folder``, in a fork in which ``fault`` comes first."""
    return wait_for(folder, start_forked(folder, words, fault))


def start_forked(folder: Path, words: list[str], fault: Fault = no_fault) -> int:
    """The same without waiting for its end; returns the process."""
    folder.mkdir(exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fork of a process with threads; torch's own are idle
        pid = os.fork()
    if not pid:
        _be_the_program(folder, words, fault)
    return pid


def wait_for(folder: Path, pid: int) -> Completed:
    """Wait for a process that ``begun`` began."""
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return Completed(code, (folder / "out").read_text(), (folder / "err").read_text())


def _be_the_program(folder: Path, words: list[str], fault: Fault) -> None:
    from genctl.cli.app import main

    code = 99
    try:
        os.chdir(folder)
        sys.stdout = Path("out").open("w")  # noqa: SIM115 (for as long as the process lives)
        sys.stderr = Path("err").open("w")  # noqa: SIM115
        sys.argv = ["genctl", *words]
        # What Python prints by itself shall be printed, not collected by pytest.
        threading.excepthook, sys.unraisablehook = threading.__excepthook__, sys.__unraisablehook__
        fault()
        main()
    except SystemExit as left:
        code = int(left.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError:
            code = 120  # as Python itself
        finally:
            os._exit(code)


# -- what can happen ------------------------------------------------------------------------------


def kill_at_replace(number: int, done: bool) -> Fault:
    """SIGKILL when the ``number``-th file is about to appear, or has just appeared."""

    def happen() -> None:
        replace, calls = os.replace, [0]

        def counted(source: Any, target: Any) -> None:
            calls[0] += 1
            if calls[0] == number and not done:
                os.kill(os.getpid(), signal.SIGKILL)
            replace(source, target)
            if calls[0] == number:
                os.kill(os.getpid(), signal.SIGKILL)

        os.replace = counted

    return happen


def kill_after(seconds: float) -> Fault:
    """SIGKILL when so much time has gone by."""

    def happen() -> None:
        timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))
        timer.daemon = True
        timer.start()

    return happen


def all_of(*happenings: Fault) -> Fault:
    """Have several things happen."""

    def happen() -> None:
        for each in happenings:
            each()

    return happen


def on_call(owner: Any, name: str, happen: Fault, number: int = 1) -> Fault:
    """Do something when a function or method of ``owner`` is called for the ``number``-th time."""

    def prepare() -> None:
        function, calls = getattr(owner, name), [0]

        def counted(*words: Any, **named: Any) -> Any:
            calls[0] += 1
            if calls[0] == number:
                happen()
            return function(*words, **named)

        setattr(owner, name, counted)

    return prepare


def send_signals(*numbers: int) -> Fault:
    """Receive signals."""

    def happen() -> None:
        for number in numbers:
            os.kill(os.getpid(), number)

    return happen


def after_step(number: int, happen: Callable[[Trainer], None]) -> Fault:
    """Do something after the ``number``-th step of this part of the run."""

    def prepare() -> None:
        step, calls = Trainer.take_step, [0]

        def counted(self: Trainer, progress: float) -> None:
            step(self, progress)
            calls[0] += 1
            if calls[0] == number:
                happen(self)

        Trainer.take_step = counted  # type: ignore[method-assign]

    return prepare


def signal_after_step(*numbers: int, step: int) -> Fault:
    """Receive signals after a step."""

    return after_step(step, lambda _: send_signals(*numbers)())


def disk_full_for(name: str) -> Fault:
    """Find the disk full when a file with ``name`` in its name is written but not yet flushed."""

    def prepare() -> None:
        fsync = os.fsync

        def full(handle: int) -> None:
            if name in writing[-1]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            fsync(handle)

        writing = [""]
        replace = files._replace

        def noted(path: Path, content: bytes) -> None:
            writing.append(path.name)
            replace(path, content)

        files._replace, os.fsync = noted, full

    return prepare


def limit_memory(spare: int) -> Fault:
    """Have no more than ``spare`` bytes besides those that are taken already."""

    def happen() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + spare
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    return happen


# -- what is left ---------------------------------------------------------------------------------

TIMES = ("seconds", "images_per_second")
"""What a result says of the clock."""


def outcome(run: Path) -> dict[str, Any]:
    """All that must be the same, bit for bit, however often a run was interrupted."""
    newest = sorted((run / "checkpoints").glob("*.safetensors"))[-1]
    content, metadata, _ = tensors.read(newest, "checkpoint")
    result = (run / "result.json").read_text()
    return {
        "checkpoint": (newest.name, {name: _bytes(value) for name, value in content.items()}),
        "metadata": {name: value for name, value in metadata.items() if name != "seconds"},
        "metrics": read_metrics(run),
        "samples": {path.name: path.read_bytes() for path in (run / "samples").iterdir()},
        "model": (run / "model.safetensors").read_bytes(),
        "config": (run / "config.yaml").read_bytes(),
        "result": {k: v for k, v in json.loads(result).items() if k not in TIMES},
    }


def require_same(run: Path, reference: Path) -> None:
    """The run ended with the bits of the other one, and nothing unfinished lies about."""
    assert differing_parts(outcome(run), outcome(reference)) == []
    assert list(run.rglob(f"{files.PREFIX}*")) == []


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl without the time they took."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def differing_parts(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The parts in which two outcomes differ: a whole dump of both would not help anyone."""
    return [name for name in one if one[name] != other[name]]


def checkpointed_images(run: Path) -> list[str]:
    """The numbers of images that there are checkpoints of."""
    return [path.stem.lstrip("0") for path in sorted((run / "checkpoints").glob("*.safetensors"))]


def _bytes(tensor: torch.Tensor) -> bytes:
    found: bytes = tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()
    return found
