"""Broken pipes, closed streams and full disks behind the output: the work is done anyway."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import pytest

from genctl.cli.streams import FailSafeStream
from genctl.evaluation import evaluate as evaluation
from tests.conftest import REPOSITORY, Completed
from tests.faults.mirror import mirrors, small_set
from tests.faults.stopped import RUN, require_no_partial_files, require_no_traceback
from tests.support.processes import (
    differing_parts,
    outcome,
    run_forked,
    run_training,
    train_arguments,
)

full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a full device")


def replace_stream(name: str, stream: TextIO | None) -> None:
    getattr(sys, name).close()
    setattr(sys, name, stream)


def broken_pipe(name: str) -> None:
    """As after ``| head``."""
    reader, writer = os.pipe()
    os.close(reader)
    replace_stream(name, os.fdopen(writer, "w", buffering=1))  # a line at a time, as stderr is


def full_disk(name: str) -> None:
    """As a file on a full disk."""
    replace_stream(name, open("/dev/full", "w", buffering=1))  # noqa: SIM115, PTH123


def closed(name: str) -> None:
    """As by ``>&-``."""
    replace_stream(name, None)


BOTH = ("stdout", "stderr")
WAYS = [broken_pipe, closed, pytest.param(full_disk, marks=full_device)]
Way = Callable[[str], None]


@pytest.mark.fault("B4")
@pytest.mark.parametrize("streams", [("stdout",), ("stderr",), BOTH])
@pytest.mark.parametrize("way", WAYS)
def test_a_run_without_readers_is_completed(
    way: Way, streams: tuple[str, ...], uninterrupted_run: Path, tmp_path: Path
) -> None:
    def fault() -> None:
        for name in streams:
            way(name)

    done = run_training(tmp_path, fault=fault)
    assert done.code == 0, done.err
    require_no_traceback(done)
    if way is full_disk and streams == ("stdout",):
        assert "genctl: warning: cannot write to stdout: No space left on device" in done.err
    assert differing_parts(outcome(tmp_path / RUN), outcome(uninterrupted_run)) == []
    require_no_partial_files(tmp_path)
    again = run_training(tmp_path)  # the result can still be read
    assert again.json["status"] == "complete"


@pytest.mark.fault("B4")
@pytest.mark.parametrize("way", WAYS)
def test_a_failing_run_without_readers_keeps_its_exit_code(way: Way, tmp_path: Path) -> None:
    def fault() -> None:
        for name in BOTH:
            way(name)

    assert run_training(tmp_path, "--set", "training.images=0", fault=fault).code == 2


@pytest.mark.fault("B4")
def test_a_download_without_readers_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torchvision's progress bar takes a failing stream for a failing mirror."""
    words = train_arguments("--set", "data.kind=kmnist", "--set", "data.root=data")
    with mirrors(small_set(), monkeypatch):
        assert run_forked(tmp_path, words, lambda: broken_pipe("stderr")).code == 0


@pytest.mark.fault("B4")
@pytest.mark.parametrize(
    ("way", "code"),
    [(broken_pipe, 141), (closed, 0), pytest.param(full_disk, 74, marks=full_device)],
)
def test_samples_without_readers_are_written(
    way: Way, code: int, untrained_model: Path, tmp_path: Path
) -> None:
    """141 is the exit code of the shell's own tools; the picture is written before."""
    words = ["sample", "--run", str(untrained_model), "--n", "2", "--json"]
    assert run_forked(tmp_path, [*words, "--out", "read.png"]).code == 0
    done = run_forked(tmp_path, [*words, "--out", "unread.png"], lambda: way("stdout"))
    assert done.code == code, done.err
    require_no_traceback(done)
    names = [tmp_path / f"{name}.png" for name in ("read", "unread")]
    assert names[0].read_bytes() == names[1].read_bytes()
    require_no_partial_files(tmp_path)


@pytest.mark.fault("B4")
@pytest.mark.parametrize("way", WAYS)
def test_no_command_needs_stderr(way: Way, untrained_model: Path, tmp_path: Path) -> None:
    lines = {
        "sample": ["sample", "--run", str(untrained_model), "--n", "2", "--out", "a.png"],
        "encode": ["encode", "digits:test[0:3]", "--run", str(untrained_model)],
        "runs": ["runs"],
        "configs": ["configs", "check", "tiny"],
    }
    for name, words in lines.items():
        assert run_forked(tmp_path, words, lambda: way("stderr")).code == 0, name


@pytest.mark.fault("B4")
def test_scores_without_readers_are_saved(untrained_model: Path, tmp_path: Path) -> None:
    """The table is printed by rich, which would exit with 1."""
    known = {"run": "r", "n": 1, "against": "train", "seeds": 1, "scores": {"fid": 1.0},
             "std": {}, "real": {}, "warnings": []}  # fmt: skip

    def prepared(way: Way) -> Callable[[], None]:
        def fault() -> None:
            evaluation.evaluate_model = lambda *words: known
            evaluation.write_result = lambda *words: None
            way("stdout")

        return fault

    words = ["evaluate", "--run", str(untrained_model)]
    assert run_forked(tmp_path, words, prepared(broken_pipe)).code == 141
    assert run_forked(tmp_path, words, prepared(lambda name: None)).out.startswith("r: 1 samples")


@full_device
def test_what_is_buffered_is_discarded_too() -> None:
    """A progress bar is flushed without a new line."""
    with open("/dev/full", "w") as stream:  # noqa: PTH123
        words = FailSafeStream(stream)
        words.write("50%")
        words.flush()
        words.write("100%\n")
        words.flush()


# -- in a shell ----------------------------------------------------------------------------------


def shell(line: str, folder: Path) -> Completed:
    """Run a line of bash, and return the exit code of genctl."""
    done = subprocess.run(
        ["bash", "-c", f'genctl() {{ "{sys.executable}" -m genctl "$@"; }}; {line}; '
         "echo ${PIPESTATUS[0]} >code"],
        capture_output=True, text=True, cwd=folder, check=True, timeout=120,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    return Completed(int((folder / "code").read_text()), done.stdout, done.stderr)


@pytest.mark.fault("B4")
def test_head_ends_neither_a_run_nor_sampling(uninterrupted_run: Path, tmp_path: Path) -> None:
    words = shlex.join(train_arguments())
    done = shell(f"genctl {words} 2>&1 | head -1", tmp_path)
    assert done.code == 0
    assert done.out.startswith("training runs/run on ")
    require_no_traceback(done)
    assert differing_parts(outcome(tmp_path / RUN), outcome(uninterrupted_run)) == []
    for line, code in (
        ("genctl sample --json | head -1", 0),  # one line, which head reads
        ("genctl sample --out /dev/stdout | true", 141),
    ):
        done = shell(line, tmp_path)
        assert done.code == code, line
        require_no_traceback(done)
