"""Folders without write permission, runs in use, foreign files, modes, links and devices."""

import ctypes
import os
import shutil
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genctl.runs.run import Run
from genctl.training import session
from tests.conftest import Completed
from tests.faults.refusal import changed, contents
from tests.faults.stopped import (
    RUN,
    children_cpu_seconds,
    require_no_partial_files,
    require_no_traceback,
    require_same_after_resuming,
)
from tests.support.processes import (
    Fault,
    after_step,
    checkpointed_images,
    no_fault,
    on_call,
    run_forked,
    run_training,
    signal_after_step,
    start_forked,
    train_arguments,
    wait_for,
)


def require_line(done: Completed, code: int, what: str) -> None:
    """Require the exit code and one line that names the thing, the reason and what to do."""
    assert done.code == code, done.err
    require_no_traceback(done)
    (line,) = [line for line in done.err.splitlines() if "genctl: error:" in line]
    assert what in line
    assert "; " in line, "what to do"


# -- C2: no permission -----------------------------------------------------------------------------


def without_root_rights(fault: Fault = no_fault) -> Fault:
    """Give up root's capability to write anywhere, so that permissions apply."""

    def happen() -> None:
        if os.geteuid() == 0:
            libc = ctypes.CDLL(None, use_errno=True)
            version, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
            assert libc.capget(version, sets) == 0
            for position in (0, 1):  # effective, permitted
                sets[position] &= ~(1 << 1)  # CAP_DAC_OVERRIDE
            assert libc.capset(version, sets) == 0
        fault()

    return happen


@pytest.mark.fault("C2")
@pytest.mark.parametrize("place", ["runs", "runs/run", "runs/run/checkpoints", "runs/run/samples"])
def test_a_folder_without_write_permission_is_reported_before_data_is_loaded(
    place: str, uninterrupted_run: Path, tmp_path: Path
) -> None:
    if place == "runs":
        (tmp_path / "runs").mkdir()
    else:
        stop = without_root_rights(signal_after_step(signal.SIGTERM, step=11))
        assert run_training(tmp_path, fault=stop).code == 143
    (tmp_path / place).chmod(0o555)
    before = contents(tmp_path / "runs")

    def load(*_: Any) -> None:
        raise AssertionError("the error comes before the data is loaded")

    used = children_cpu_seconds()
    done = run_training(tmp_path, fault=without_root_rights(on_call(session, "load_data", load)))
    assert children_cpu_seconds() - used < 3
    require_line(done, 73, f" {place}")
    assert done.json["exit_code"] == 73
    assert changed(before, tmp_path / "runs") == []
    (tmp_path / place).chmod(0o755)
    require_same_after_resuming(tmp_path, uninterrupted_run)


def read_only(place: str) -> Callable[[Any], None]:
    return lambda _: Path(place).chmod(0o555)


@pytest.mark.fault("C2")
@pytest.mark.parametrize("place", ["runs/run", "runs/run/checkpoints", "runs/run/samples"])
@pytest.mark.parametrize("step", [1, 15, 29])
def test_a_folder_that_loses_its_write_permission_ends_the_run(
    step: int, place: str, uninterrupted_run: Path, tmp_path: Path
) -> None:
    done = run_training(tmp_path, fault=without_root_rights(after_step(step, read_only(place))))
    require_line(done, 74, "Permission denied; make it writable and run the same command again")
    assert done.json["exit_code"] == 74
    assert len(checkpointed_images(tmp_path / RUN)) == min(step // 8, 2)
    (tmp_path / place).chmod(0o755)
    require_same_after_resuming(tmp_path, uninterrupted_run)


@pytest.mark.fault("C2")
def test_a_run_whose_folder_is_deleted_reports_it(tmp_path: Path) -> None:
    done = run_training(tmp_path, fault=after_step(11, lambda _: shutil.rmtree(RUN)))
    require_line(done, 74, str(RUN))
    assert run_training(tmp_path).code == 0


@pytest.mark.fault("C2")
def test_a_result_that_cannot_be_written_is_reported(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    def fault() -> None:
        on_call(Run, "write_result", lambda: Path(RUN).chmod(0o555))()

    done = run_training(tmp_path, fault=without_root_rights(fault))
    require_line(done, 74, "result.json")
    (tmp_path / RUN).chmod(0o755)
    require_same_after_resuming(tmp_path, uninterrupted_run)


@pytest.mark.fault("C2")
def test_a_lock_without_write_permission_is_reported(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    """The lock may belong to another user's run."""
    assert run_training(tmp_path, fault=signal_after_step(signal.SIGTERM, step=11)).code == 143
    lock = tmp_path / RUN / ".lock"
    lock.chmod(0o444)
    require_line(run_training(tmp_path, fault=without_root_rights()), 73, ".lock: no permission")
    lock.chmod(0o644)
    require_same_after_resuming(tmp_path, uninterrupted_run)


@pytest.mark.fault("C2")
@pytest.mark.parametrize(
    "words",
    [("sample", "--out", "closed/a.png"), ("sample", "--out", "closed/a.npz"),
     ("sample", "--out", "closed/new/a.png"), ("sample", "--out", "closed/pictures", "--format",
     "png"), ("encode", "digits:test[0:3]", "--out", "closed/a.csv")],
)  # fmt: skip
def test_other_commands_report_a_folder_without_write_permission(
    words: tuple[str, ...], untrained_model: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model.safetensors"
    shutil.copy(untrained_model, model)
    model.chmod(0o644)
    (tmp_path / "closed").mkdir(mode=0o555)
    line = [*words, "--run", "model.safetensors"]
    require_line(run_forked(tmp_path, line, without_root_rights()), 73, "closed")
    assert list((tmp_path / "closed").iterdir()) == []
    (tmp_path / "closed").chmod(0o777)
    assert run_forked(tmp_path, line, without_root_rights()).code == 0


# -- C4: two processes -----------------------------------------------------------------------------


def waiting_at(step: int) -> tuple[Fault, int, int]:
    """A run that waits after a step: what happens, a pipe to see it arrive, one to let it go on."""
    arrived, arrive = os.pipe()
    leave, let_go = os.pipe()

    def wait(_: Any) -> None:
        os.write(arrive, b".")
        os.read(leave, 1)

    return after_step(step, wait), arrived, let_go


@pytest.mark.fault("C4")
def test_a_second_process_is_refused_and_the_first_undisturbed(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    fault, arrived, let_go = waiting_at(11)
    first = start_forked(tmp_path, train_arguments(), fault)
    os.read(arrived, 1)
    run = tmp_path / RUN
    before = contents(run)
    (tmp_path / "second").mkdir()
    for more in ((), ("--fresh",)):
        words = [*train_arguments(*more), "--runs", str(tmp_path / "runs")]
        second = run_forked(tmp_path / "second", words)
        holder = f"process {first} on {os.uname().nodename}"
        require_line(second, 75, f"{holder} is using it; wait for it")
        assert second.json["exit_code"] == 75
    listed = run_forked(tmp_path / "second", ["runs", "--runs", str(tmp_path / "runs"), "--json"])
    assert [row["status"] for row in listed.json["runs"]] == ["running"]
    assert changed(before, run) == []
    os.write(let_go, b".")
    assert wait_for(tmp_path, first).code == 0
    require_same_after_resuming(tmp_path, uninterrupted_run)


@pytest.mark.fault("C4")
def test_the_lock_of_a_killed_process_is_free_at_once(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    fault, arrived, _ = waiting_at(11)
    first = start_forked(tmp_path, train_arguments(), fault)
    os.read(arrived, 1)
    os.kill(first, signal.SIGKILL)
    assert wait_for(tmp_path, first).code == -signal.SIGKILL
    listed = run_forked(tmp_path, ["runs", "--json"])
    assert [row["status"] for row in listed.json["runs"]] == ["interrupted"]
    require_same_after_resuming(tmp_path, uninterrupted_run)


# -- C5: something else is in the way --------------------------------------------------------------


@pytest.mark.fault("C5")
def test_fresh_renames_an_old_run_without_changing_a_byte(
    uninterrupted_run: Path, tmp_path: Path
) -> None:
    shutil.copytree(uninterrupted_run, tmp_path / RUN)
    before = {path.relative_to(tmp_path / RUN): content
              for path, content in contents(tmp_path / RUN).items()}  # fmt: skip
    done = run_training(tmp_path, "--fresh", fault=signal_after_step(signal.SIGTERM, step=11))
    assert done.code == 143
    assert "renamed the old run to runs/run.old-1" in done.err
    renamed = tmp_path / "runs" / "run.old-1"
    assert {
        path.relative_to(renamed): content for path, content in contents(renamed).items()
    } == before
    assert run_forked(tmp_path, ["sample", "--run", "run.old-1", "--n", "1"]).code == 0
    require_same_after_resuming(tmp_path, uninterrupted_run)


FOREIGN: dict[str, dict[str, str]] = {
    "a text": {"run/thesis.tex": "mine"},
    "hidden": {"run/.thesis": "mine"},
    "in a folder": {"run/thesis/chapter.tex": "mine"},
    "in a folder that runs have too": {"run/samples/mine.png": "mine"},
    "as a file called like a folder of runs": {"run/checkpoints": "mine"},
    "with a config.yaml": {"run/config.yaml": "title: thesis\n", "run/thesis.tex": "mine"},
    "with an invalid config.yaml": {"run/config.yaml": "\x00", "run/thesis.tex": "mine"},
    "as a file": {"run": "mine"},
    "in place of the folder of all runs": {"../runs": "mine"},
}


@pytest.mark.fault("C5")
@pytest.mark.parametrize("fresh", [(), ("--fresh",)])
@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_not_a_run_is_left_alone_to_the_last_byte(
    what: str, fresh: tuple[str, ...], tmp_path: Path
) -> None:
    for name, text in FOREIGN[what].items():
        path = Path(os.path.normpath(tmp_path / "runs" / name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    before = everything(tmp_path)
    done = run_training(tmp_path, *fresh)
    require_line(done, 73, "runs")
    assert done.json["exit_code"] == 73
    assert everything(tmp_path) == before
    more = ("--name", "other", "--runs", "elsewhere", "--set", "training.images=16")
    assert run_training(tmp_path, *more).code == 0


def everything(folder: Path) -> dict[str, Any]:
    """Content and time of everything below a folder, except captured stdout and stderr."""
    return {
        str(path): (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in folder.rglob("*")
        if path.name not in ("out", "err")
    }


# -- C6: modes, links and devices ------------------------------------------------------------------

SAMPLE = ("sample", "--run", "run", "--n", "2", "--out")
ENCODE = ("encode", "digits:test[0:3]", "--run", "run", "--out")
WRITERS: dict[str, tuple[str, ...]] = {
    "a.png": (*SAMPLE, "a.png"),
    "a.npz": (*SAMPLE, "a.npz"),
    "walk.gif": (*SAMPLE, "walk.gif", "--interpolate"),
    "codes.npz": (*ENCODE, "codes.npz"),
    "codes.csv": (*ENCODE, "codes.csv"),
    "map.png": (*ENCODE, "codes.jsonl", "--plot", "map.png"),
    "again.png": ("reproduce", "drawn.png", "--out", "again.png"),
    "sheet.png": ("runs", "--runs", ".", "--sheet", "sheet.png"),
}


def masked(mask: int) -> Fault:
    def set_umask() -> None:
        os.umask(mask)

    return set_umask


@pytest.mark.fault("C6")
@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_files_of_a_run_follow_the_umask(mask: int, tmp_path: Path) -> None:
    done = run_training(tmp_path, "--set", "training.images=128", fault=masked(mask))
    assert done.code == 0, done.err
    for path in (tmp_path / "runs").rglob("*"):
        mode = 0o777 if path.is_dir() else 0o666
        assert stat.S_IMODE(path.stat().st_mode) == mode & ~mask, path


@pytest.mark.fault("C6")
@pytest.mark.parametrize("mask", [0o002, 0o077])
def test_outputs_follow_the_umask(mask: int, work_folder: Path) -> None:
    for name, words in WRITERS.items():
        assert run_forked(work_folder, list(words), masked(mask)).code == 0
        assert stat.S_IMODE((work_folder / name).stat().st_mode) == 0o666 & ~mask, name


@pytest.mark.fault("C6")
def test_outputs_replace_the_target_of_a_link(work_folder: Path) -> None:
    (work_folder / "far").mkdir()
    for name, words in WRITERS.items():
        target = work_folder / "far" / name
        target.write_text("old")
        (work_folder / name).symlink_to(target)
        done = run_forked(work_folder, list(words))
        assert done.code == 0, done.err
        assert (work_folder / name).is_symlink()
        assert target.read_bytes() != b"old"
        (work_folder / name).unlink()
        target.rename(work_folder / "linked")
        assert run_forked(work_folder, list(words)).code == 0
        assert (work_folder / name).read_bytes() == (work_folder / "linked").read_bytes()
    require_no_partial_files(work_folder)


@pytest.mark.fault("C6")
def test_runs_may_lie_behind_links(uninterrupted_run: Path, tmp_path: Path) -> None:
    (tmp_path / "far" / "run").mkdir(parents=True)
    (tmp_path / "near").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "near")
    (tmp_path / "near" / "run").symlink_to(tmp_path / "far" / "run")
    require_same_after_resuming(tmp_path, uninterrupted_run)
    assert (tmp_path / "runs").is_symlink()
    assert (tmp_path / "near" / "run").is_symlink()
    assert (tmp_path / "far" / "run" / "model.safetensors").exists()
    done = run_training(tmp_path, "--fresh", "--set", "training.images=16")
    assert done.code == 0
    assert (tmp_path / "near" / "run.old-1").is_symlink()
    assert (tmp_path / "far" / "run" / "model.safetensors").exists()


DEVICES = {"/dev/null": 0, "/dev/full": 74, "pipe": 0}


@pytest.mark.fault("C6")
@pytest.mark.parametrize("device", DEVICES)
def test_devices_are_written_to_and_not_replaced(device: str, work_folder: Path) -> None:
    """Through links, since the name of most outputs must end in their format."""
    if device == "pipe":
        os.mkfifo(work_folder / "pipe")
        reader = os.open(work_folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    target = work_folder / device  # an absolute path stays as it is
    kind = stat.S_IFMT(target.stat().st_mode)
    for name, words in WRITERS.items():
        (work_folder / name).symlink_to(target)
        done = run_forked(work_folder, list(words))
        assert done.code == DEVICES[device], (name, done.err)
        if done.code:
            require_line(done, 74, "No space left on device")
        assert (work_folder / name).is_symlink()
        assert stat.S_IFMT(target.stat().st_mode) == kind
        if device == "pipe":
            assert len(os.read(reader, 2**20)) > 100
    require_no_partial_files(work_folder)


@pytest.mark.fault("C6")
def test_a_picture_written_to_stdout_is_not_followed_by_text(work_folder: Path) -> None:
    """Neither the path nor the JSON follow, so that another program can read the picture."""

    def to_a_file() -> None:
        os.dup2(os.open("shell", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)

    for words, name in (
        ([*SAMPLE, "/dev/stdout"], "a.png"),
        ([*SAMPLE, "/dev/stdout", "--json"], "a.png"),
        (["reproduce", "drawn.png", "--out", "/dev/stdout"], "drawn.png"),
    ):
        assert run_forked(work_folder, [*SAMPLE, "a.png"]).code == 0
        (work_folder / "shell").unlink(missing_ok=True)
        done = run_forked(work_folder, words, to_a_file)
        assert (done.code, done.out) == (0, "")
        assert (work_folder / "shell").read_bytes() == (work_folder / name).read_bytes()
