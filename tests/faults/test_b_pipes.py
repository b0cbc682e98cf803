"""Output that nobody reads, that is closed, or that is full: the work is done all the same."""

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


def replaced(name: str, stream: TextIO | None) -> None:
    getattr(sys, name).close()
    setattr(sys, name, stream)


def unread(name: str) -> None:
    """What ``| head`` leaves behind: a pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    replaced(name, os.fdopen(writer, "w", buffering=1))  # a line at a time, as stderr is


def full(name: str) -> None:
    """A file on a full disk."""
    replaced(name, open("/dev/full", "w", buffering=1))  # noqa: SIM115, PTH123


def closed(name: str) -> None:
    """``>&-``."""
    replaced(name, None)


BOTH = ("stdout", "stderr")
WAYS = [unread, closed, pytest.param(full, marks=full_device)]
Way = Callable[[str], None]


@pytest.mark.fault("B4")
@pytest.mark.parametrize("streams", [("stdout",), ("stderr",), BOTH])
@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_nobody_listens_to_ends_as_any_other(
    way: Way, streams: tuple[str, ...], uninterrupted_run: Path, tmp_path: Path
) -> None:
    def fault() -> None:
        for name in streams:
            way(name)

    done = run_training(tmp_path, fault=fault)
    assert done.code == 0, done.err
    require_no_traceback(done)
    if way is full and streams == ("stdout",):
        assert "genctl: warning: cannot write to stdout: No space left on device" in done.err
    assert differing_parts(outcome(tmp_path / RUN), outcome(uninterrupted_run)) == []
    require_no_partial_files(tmp_path)
    again = run_training(tmp_path)  # what was not read is still there to be read
    assert again.json["status"] == "complete"


@pytest.mark.fault("B4")
@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_fails_unheard_keeps_its_code(way: Way, tmp_path: Path) -> None:
    def fault() -> None:
        for name in BOTH:
            way(name)

    assert run_training(tmp_path, "--set", "training.images=0", fault=fault).code == 2


@pytest.mark.fault("B4")
def test_a_download_whose_progress_nobody_reads_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bar is torchvision's, for which a stream that fails is a mirror that fails."""
    words = train_arguments("--set", "data.kind=kmnist", "--set", "data.root=data")
    with mirrors(small_set(), monkeypatch):
        assert run_forked(tmp_path, words, lambda: unread("stderr")).code == 0


@pytest.mark.fault("B4")
@pytest.mark.parametrize(
    ("way", "code"),
    [(unread, 141), (closed, 0), pytest.param(full, 74, marks=full_device)],
)
def test_samples_whose_path_nobody_reads_are_drawn(
    way: Way, code: int, untrained_model: Path, tmp_path: Path
) -> None:
    """141 is what the shell's own tools leave with; the picture is there by then."""
    words = ["sample", "--run", str(untrained_model), "--n", "2", "--json"]
    assert run_forked(tmp_path, [*words, "--out", "heard.png"]).code == 0
    done = run_forked(tmp_path, [*words, "--out", "unheard.png"], lambda: way("stdout"))
    assert done.code == code, done.err
    require_no_traceback(done)
    names = [tmp_path / f"{name}.png" for name in ("heard", "unheard")]
    assert names[0].read_bytes() == names[1].read_bytes()
    require_no_partial_files(tmp_path)


@pytest.mark.fault("B4")
@pytest.mark.parametrize("way", WAYS)
def test_no_command_minds_whether_people_listen(
    way: Way, untrained_model: Path, tmp_path: Path
) -> None:
    lines = {
        "sample": ["sample", "--run", str(untrained_model), "--n", "2", "--out", "a.png"],
        "encode": ["encode", "digits:test[0:3]", "--run", str(untrained_model)],
        "runs": ["runs"],
        "configs": ["configs", "check", "tiny"],
    }
    for name, words in lines.items():
        assert run_forked(tmp_path, words, lambda: way("stderr")).code == 0, name


@pytest.mark.fault("B4")
def test_scores_that_nobody_reads_are_kept_quietly(untrained_model: Path, tmp_path: Path) -> None:
    """The table is drawn by rich, which would leave with 1."""
    known = {"run": "r", "n": 1, "against": "train", "seeds": 1, "scores": {"fid": 1.0},
             "std": {}, "real": {}, "warnings": []}  # fmt: skip

    def prepared(way: Way) -> Callable[[], None]:
        def fault() -> None:
            evaluation.evaluate_model = lambda *words: known
            evaluation.write_result = lambda *words: None
            way("stdout")

        return fault

    words = ["evaluate", "--run", str(untrained_model)]
    assert run_forked(tmp_path, words, prepared(unread)).code == 141
    assert run_forked(tmp_path, words, prepared(lambda name: None)).out.startswith("r: 1 samples")


@full_device
def test_words_that_were_held_back_are_dropped_too() -> None:
    """A bar moves within its line, which is sent on only when it is flushed."""
    with open("/dev/full", "w") as stream:  # noqa: PTH123
        words = FailSafeStream(stream)
        words.write("50%")
        words.flush()
        words.write("100%\n")
        words.flush()


# -- as a shell does it ---------------------------------------------------------------------------


def shell(line: str, folder: Path) -> Completed:
    """Run a line of bash in which ``genctl`` is this one; its code is that of genctl."""
    done = subprocess.run(
        ["bash", "-c", f'genctl() {{ "{sys.executable}" -m genctl "$@"; }}; {line}; '
         "echo ${PIPESTATUS[0]} >code"],
        capture_output=True, text=True, cwd=folder, check=True, timeout=120,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    return Completed(int((folder / "code").read_text()), done.stdout, done.stderr)


@pytest.mark.fault("B4")
def test_head_ends_neither_a_run_nor_a_sample(uninterrupted_run: Path, tmp_path: Path) -> None:
    words = shlex.join(train_arguments())
    done = shell(f"genctl {words} 2>&1 | head -1", tmp_path)
    assert done.code == 0
    assert done.out.startswith("training runs/run on ")
    require_no_traceback(done)
    assert differing_parts(outcome(tmp_path / RUN), outcome(uninterrupted_run)) == []
    for line, code in (
        ("genctl sample --json | head -1", 0),  # it is one line, which was read
        ("genctl sample --out /dev/stdout | true", 141),
    ):
        done = shell(line, tmp_path)
        assert done.code == code, line
        require_no_traceback(done)
