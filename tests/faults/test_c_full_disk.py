"""Full disks: earlier files stay as they were, and once there is room the run resumes."""

import errno
import io
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboard.summary.writer.record_writer import RecordWriter

from genctl.common import files, tensors
from genctl.runs.run import Run
from tests.conftest import Completed
from tests.faults.refusal import changed_outputs, contents
from tests.faults.stopped import (
    RUN,
    require_no_partial_files,
    require_no_traceback,
    require_same_after_resuming,
)
from tests.support.processes import (
    Fault,
    after_step,
    checkpointed_images,
    differing_parts,
    disk_full_for,
    on_call,
    outcome,
    run_forked,
    run_training,
    signal_after_step,
)

NO_SPACE = os.strerror(errno.ENOSPC)


def fail(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, NO_SPACE)


def require_full(done: Completed, name: str, why: str = NO_SPACE) -> None:
    """Require exit 74 and one line with the path, the bytes needed and the bytes free."""
    assert done.code == 74, done.err
    require_no_traceback(done)
    (line,) = [line for line in done.err.splitlines() if "genctl: error:" in line]
    needed = "" if name == "tensorboard" else r"[\d,]+ bytes needed, "  # it does not say
    assert re.search(rf"cannot write \S*{name}: {why} \({needed}[\d,]+ free\); make room", line)


def full_while_writing(name: str) -> Fault:
    """The disk is full after 1,000 bytes of the file called ``name``."""

    class Narrow(io.FileIO):
        def write(self, content: Any) -> int:
            super().write(content[:1000])
            fail()
            return 0

    def prepare() -> None:
        replace, fdopen = files._replace, os.fdopen

        def narrow(path: Path, content: bytes) -> None:
            os.fdopen = Narrow if name in path.name else fdopen  # type: ignore[assignment]
            replace(path, content)

        files._replace = narrow

    return prepare


# -- runs ------------------------------------------------------------------------------------------

SECOND = "000000256.safetensors"
WAYS = {"while writing": full_while_writing, "while flushing": disk_full_for}
SOME_WAYS = ["while writing", pytest.param("while flushing", marks=pytest.mark.slow)]


@pytest.mark.fault("C1")
@pytest.mark.parametrize("name", [SECOND, "000000256.png", "model.safetensors", "result.json"])
@pytest.mark.parametrize("way", SOME_WAYS)
def test_a_file_that_does_not_fit_leaves_earlier_files_as_they_were(
    way: str, name: str, uninterrupted_run: Path, tmp_path: Path
) -> None:
    assert run_training(tmp_path, fault=signal_after_step(signal.SIGTERM, step=9)).code == 143
    run = tmp_path / RUN
    before = contents(run / "checkpoints")
    (run / "result.json").unlink()  # of the interrupted run
    done = run_training(tmp_path, fault=WAYS[way](name))
    require_full(done, name)
    assert done.json["exit_code"] == 74
    require_no_partial_files(tmp_path)
    for path, content in before.items():
        assert not path.exists() or path.read_bytes() == content
    left = checkpointed_images(run)
    assert left == (["384", "480"] if name == "result.json" else ["128", "144"])
    for path in (run / "checkpoints").iterdir():
        tensors.read(path, "checkpoint")  # complete
    require_same_after_resuming(tmp_path, uninterrupted_run)


@pytest.mark.fault("C1")
def test_a_run_can_start_after_its_first_files_did_not_fit(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    for name in ("holder.json", "config.yaml", "environment.json", "000000128.safetensors"):
        require_full(run_training(tmp_path, fault=full_while_writing(name)), name)
        assert checkpointed_images(tmp_path / RUN) == []
        require_no_partial_files(tmp_path)
    require_same_after_resuming(tmp_path, uninterrupted_run)


def limited(size: int) -> Fault:
    """Allow no file of more than ``size`` bytes. Python ignores SIGXFSZ."""

    def limit(_: Any) -> None:
        assert signal.getsignal(signal.SIGXFSZ) is signal.SIG_IGN
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return after_step(15, limit)


@pytest.mark.fault("C1")
@pytest.mark.parametrize(
    ("size", "name"), [(40_000, SECOND), (1_000, r"(tensorboard|metrics\.jsonl)")]
)
def test_a_limit_on_the_size_of_files_is_reported_like_a_full_disk(
    size: int, name: str, uninterrupted_run: Path, tmp_path: Path
) -> None:
    done = run_training(tmp_path, fault=limited(size))
    assert done.code == 74, done.err
    require_no_traceback(done)
    assert re.search(rf"cannot write \S*{name}: File too large \(.*free\)", done.err)
    assert checkpointed_images(tmp_path / RUN) == ["128"]
    require_no_partial_files(tmp_path)
    require_same_after_resuming(tmp_path, uninterrupted_run)


@pytest.mark.fault("C1")
@pytest.mark.parametrize("number", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_metrics_that_do_not_fit_end_the_run(
    number: int, uninterrupted_run: Path, tmp_path: Path
) -> None:
    done = run_training(
        tmp_path, fault=on_call(Run, "log", lambda: limit_now(200 * number), number)
    )
    require_full(done, "metrics.jsonl", "File too large")
    require_same_after_resuming(tmp_path, uninterrupted_run)


def limit_now(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.fault("C1")
@pytest.mark.parametrize("number", [5, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 20))])
def test_tensorboard_files_that_do_not_fit_end_the_run_without_a_traceback(
    number: int, uninterrupted_run: Path, tmp_path: Path
) -> None:
    """TensorBoard writes in its own thread; Python would print that thread's traceback."""

    def fault() -> None:
        on_call(RecordWriter, "write", fail, number)()

    require_full(run_training(tmp_path, fault=fault), "tensorboard")
    require_same_after_resuming(tmp_path, uninterrupted_run)


@pytest.mark.fault("C1")
def test_the_first_of_two_failed_writes_is_reported(tmp_path: Path) -> None:
    def fault() -> None:
        disk_full_for(SECOND)()
        after_step(16, lambda _: disk_full_for("result.json")())()

    done = run_training(tmp_path, fault=fault)
    require_full(done, SECOND)
    assert done.json["exit_code"] == 74
    assert "warning: cannot write" in done.err


@pytest.mark.fault("C1")
def test_too_little_space_is_reported_before_writing(tmp_path: Path) -> None:
    def full(path: object) -> Any:
        return type("Usage", (), {"free": 50_000})

    def fault() -> None:
        after_step(15, lambda _: setattr(shutil, "disk_usage", full))()

    done = run_training(tmp_path, fault=fault)
    require_full(done, SECOND, "the disk is full")
    assert checkpointed_images(tmp_path / RUN) == ["128"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    if (
        sys.platform != "linux"
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("mounting is not allowed here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_run_resumes_after_a_real_disk_was_full(
    small_disk: Path, uninterrupted_run: Path, tmp_path: Path
) -> None:
    """The other tests simulate a full disk, since mounting needs permission."""
    ballast = small_disk / "ballast"

    def fill(_: Any) -> None:
        handle = os.open(ballast, os.O_WRONLY | os.O_CREAT)
        while True:
            try:
                os.write(handle, bytes(4096))
            except OSError:
                return

    (tmp_path / "runs").symlink_to(small_disk, target_is_directory=True)
    done = run_training(tmp_path, fault=after_step(15, fill))
    assert done.code == 74, done.err
    require_no_traceback(done)
    assert re.search(rf"cannot write .*({NO_SPACE}|the disk is full) \(.*free\)", done.err)
    assert checkpointed_images(tmp_path / RUN) == ["128"]
    require_no_partial_files(tmp_path)
    ballast.unlink()
    require_same_after_resuming(tmp_path, uninterrupted_run)


# -- C3: save, then prune --------------------------------------------------------------------------


@pytest.mark.fault("C3")
@pytest.mark.parametrize("way", WAYS)
def test_the_only_checkpoint_stays_until_the_next_is_complete(
    way: str, uninterrupted_run: Path, tmp_path: Path
) -> None:
    one = ("--set", "training.keep=1")
    done = run_training(tmp_path, *one, fault=WAYS[way](SECOND))
    require_full(done, SECOND)
    run = tmp_path / RUN
    assert checkpointed_images(run) == ["128"]
    tensors.read(run / "checkpoints" / "000000128.safetensors", "checkpoint")
    again = run_training(tmp_path, *one)
    assert again.code == 0
    assert "from 128 images" in again.err
    assert checkpointed_images(run) == ["480"]
    # Both contain training.keep.
    assert differing_parts(outcome(run), outcome(uninterrupted_run)) == ["model", "config"]


# -- other commands --------------------------------------------------------------------------------

SAMPLE = ("sample", "--run", "run", "--n", "8", "--batch-size", "3", "--out")
ENCODE = ("encode", "digits:test[0:9]", "--run", "run", "--out")
OUTPUTS = {
    "grid.png": (*SAMPLE, "grid.png"),
    "walk.gif": (*SAMPLE, "walk.gif", "--interpolate"),
    "arrays.npz": (*SAMPLE, "arrays.npz"),
    "000003.png": (*SAMPLE, "pictures", "--format", "png"),
    "codes.npz": (*ENCODE, "codes.npz"),
    "codes.csv": (*ENCODE, "codes.csv"),
    "codes.jsonl": (*ENCODE, "codes.jsonl"),
    "codes.safetensors": (*ENCODE, "codes.safetensors"),
    "map.png": (*ENCODE, "codes.npz", "--plot", "map.png"),
    "evaluation.json": ("evaluate", "--run", "run", "--n", "40", "--seeds", "1"),
    "-v1.safetensors": ("evaluate", "--run", "run", "--n", "40", "--seeds", "1"),
    "samples.again.png": ("reproduce", "samples.png"),
    "sheet.png": ("runs", "--runs", ".", "--sheet", "sheet.png"),
    "page.html": ("export", "--run", "run", "--page", "page.html"),
    "mine.yaml": ("configs", "copy", "tiny", "mine.yaml"),
}


@pytest.mark.fault("C1")
@pytest.mark.parametrize("way", SOME_WAYS)
@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_that_does_not_fit_is_not_created(name: str, way: str, work_folder: Path) -> None:
    before = contents(work_folder)
    done = run_forked(work_folder, [*OUTPUTS[name], "--json"], WAYS[way](name))
    require_full(done, name.lstrip("-"))
    assert done.json["exit_code"] == 74
    require_no_partial_files(work_folder)
    made_before = {"codes.npz"} if name == "map.png" else set()
    made_before |= {path for path in changed_outputs(before, work_folder) if "-v1" in path} - {name}
    assert changed_outputs(before, work_folder) == made_before  # files written earlier are complete
    again = run_forked(work_folder, [*OUTPUTS[name]])
    assert again.code == 0, again.err
    assert any(name in path for path in changed_outputs(before, work_folder))


def test_an_export_that_does_not_fit_is_not_created(work_folder: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs `pip install .[onnx]`")
    words = ["export", "--run", "run"]
    done = run_forked(work_folder, words, full_while_writing("generator.onnx"))
    require_full(done, "generator.onnx")
    require_no_partial_files(work_folder)
    assert list((work_folder / "onnx").iterdir()) == []
