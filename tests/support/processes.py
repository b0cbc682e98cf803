"""Short runs in forked processes: inject faults into them, and compare what they leave.

A fork need not load torch again, and what a test patches in it affects no other test.
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

import sklearn.datasets  # noqa: F401 (imported once here instead of in every fork)
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
"""The same with larger images and five evaluations."""

MAX_SECONDS = 600
"""After which a signal ends a fork that hangs."""

Fault = Callable[[], None]
"""Called in the fork before genctl starts; patches something, or does something at once."""


def no_fault() -> None:
    """Inject nothing."""


def train_arguments(*more: str, settings: tuple[str, ...] = SETTINGS) -> list[str]:
    """The command line of a short run called ``run``."""
    sets = [word for setting in settings for word in ("--set", setting)]
    return ["train", "--config", "tiny", "--name", "run", "--json", *sets, *more]


class ImageCounter:
    """Counts the images that a run in a fork has seen, in shared memory that survives a kill."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8)

    @property
    def images(self) -> int:
        """The images seen after the last complete step."""
        return int.from_bytes(self._memory[:], "little")

    def watch(self) -> None:
        """Start to count in this process: a fault to inject."""
        step = Trainer.take_step

        def counted(trainer: Trainer, progress: float) -> None:
            step(trainer, progress)
            self._memory[:] = trainer.state.images.to_bytes(8, "little")

        Trainer.take_step = counted  # type: ignore


def run_training(folder: Path, *more: str, fault: Fault = no_fault) -> Completed:
    """Train a short run below ``folder`` in a fork."""
    return run_forked(folder, train_arguments(*more), fault)


def run_forked(folder: Path, words: list[str], fault: Fault = no_fault) -> Completed:
    """Run genctl in ``folder`` in a fork."""
    return wait_for(folder, start_forked(folder, words, fault))


def start_forked(folder: Path, words: list[str], fault: Fault = no_fault) -> int:
    """Start genctl in ``folder`` in a fork, and return the number of the process."""
    folder.mkdir(exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the process has threads, but those of torch are idle
        pid = os.fork()
    if not pid:
        signal.alarm(MAX_SECONDS)
        _run_program(folder, words, fault)
    return pid


def wait_for(folder: Path, pid: int) -> Completed:
    """Wait for a process of ``start_forked``."""
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return Completed(code, (folder / "out").read_text(), (folder / "err").read_text())


def _run_program(folder: Path, words: list[str], fault: Fault) -> None:
    from genctl.cli.app import main

    code = 99
    try:
        os.chdir(folder)
        sys.stdout = Path("out").open("w")  # noqa: SIM115 (open until the process ends)
        sys.stderr = Path("err").open("w")  # noqa: SIM115
        sys.argv = ["genctl", *words]
        # Print what pytest would collect.
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
            code = 120  # as in Python's own shutdown
        finally:
            os._exit(code)


# -- faults ----------------------------------------------------------------------------------------


def kill_at_replace(number: int, done: bool) -> Fault:
    """SIGKILL before (or, if ``done``, after) the ``number``-th file gets its name."""

    def inject() -> None:
        replace, calls = os.replace, [0]

        def counted(source: Any, target: Any) -> None:
            calls[0] += 1
            if calls[0] == number and not done:
                os.kill(os.getpid(), signal.SIGKILL)
            replace(source, target)
            if calls[0] == number:
                os.kill(os.getpid(), signal.SIGKILL)

        os.replace = counted  # type: ignore[assignment]

    return inject


def kill_after(seconds: float) -> Fault:
    """SIGKILL after some time."""

    def inject() -> None:
        timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))
        timer.daemon = True
        timer.start()

    return inject


def all_of(*faults: Fault) -> Fault:
    """Inject several faults."""

    def inject() -> None:
        for fault in faults:
            fault()

    return inject


def on_call(owner: Any, name: str, action: Fault, number: int = 1) -> Fault:
    """Call ``action`` before the ``number``-th call of a function or method of ``owner``."""

    def inject() -> None:
        function, calls = getattr(owner, name), [0]

        def counted(*words: Any, **named: Any) -> Any:
            calls[0] += 1
            if calls[0] == number:
                action()
            return function(*words, **named)

        setattr(owner, name, counted)

    return inject


def send_signals(*numbers: int) -> Fault:
    """Send signals to this process."""

    def inject() -> None:
        for number in numbers:
            os.kill(os.getpid(), number)

    return inject


def after_step(number: int, action: Callable[[Trainer], None]) -> Fault:
    """Call ``action`` after the ``number``-th step of this process."""

    def inject() -> None:
        step, calls = Trainer.take_step, [0]

        def counted(self: Trainer, progress: float) -> None:
            step(self, progress)
            calls[0] += 1
            if calls[0] == number:
                action(self)

        Trainer.take_step = counted  # type: ignore

    return inject


def signal_after_step(*numbers: int, step: int) -> Fault:
    """Send signals to this process after a step."""

    return after_step(step, lambda _: send_signals(*numbers)())


def disk_full_for(name: str) -> Fault:
    """A full disk when a file with ``name`` in its name is flushed."""

    def inject() -> None:
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

        files._replace = noted
        os.fsync = full  # type: ignore[assignment]

    return inject


def limit_memory(spare: int) -> Fault:
    """Limit the address space to ``spare`` bytes more than now."""

    def inject() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + spare
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    return inject


# -- results ---------------------------------------------------------------------------------------

TIMES = ("seconds", "images_per_second")
"""The parts of a result that depend on the clock."""


def outcome(run: Path) -> dict[str, Any]:
    """Everything that must be the same to the last bit, however often a run was interrupted."""
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
    """The run equals the other one to the last bit, and has no unfinished files."""
    assert differing_parts(outcome(run), outcome(reference)) == []
    assert list(run.rglob(f"{files.PREFIX}*")) == []


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl without the time they took."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def differing_parts(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The names of the parts in which two outcomes differ, which are too long to print."""
    return [name for name in one if one[name] != other[name]]


def checkpointed_images(run: Path) -> list[str]:
    """The numbers of images after which there are checkpoints, oldest first."""
    return [path.stem.lstrip("0") for path in sorted((run / "checkpoints").glob("*.safetensors"))]


def _bytes(tensor: torch.Tensor) -> bytes:
    found: bytes = tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()
    return found
