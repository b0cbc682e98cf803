"""A run is one process, and a killed one leaves nothing behind but its folder."""

import ast
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.faults.resuming import RUN, require_resumed, train_until_killed
from tests.support.processes import after_step, all_of, run_training

BENCH = REPOSITORY / "genctl" / "bench"  # what genctl is compared with may load as it likes
SOURCES = sorted(set((REPOSITORY / "genctl").rglob("*.py")) - set(BENCH.rglob("*.py")))
STARTERS = {"DataLoader", "multiprocessing", "fork", "Popen", "ProcessPoolExecutor", "spawn"}

linux = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")


def in_a_world_of_its_own() -> None:
    """Be the leader of a group of processes, with an empty folder for temporary files."""
    os.setpgid(0, 0)
    Path("leader").write_text(str(os.getpid()))
    Path("scratch").mkdir(exist_ok=True)
    os.environ["TMPDIR"] = str(Path("scratch").resolve())


def nobody_is_left_of(folder: Path) -> bool:
    """Whether no process of the group is there any more."""
    try:
        os.killpg(int((folder / "leader").read_text()), 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.fault("A6")
@pytest.mark.parametrize("step", [1, 11, 16])  # 16: the last one before a checkpoint
def test_a_killed_run_leaves_no_process_and_no_lock_and_no_scratch(
    step: int, uninterrupted_run: Path, tmp_path: Path
) -> None:
    kill = after_step(step, lambda _: os.kill(os.getpid(), signal.SIGKILL))
    assert (
        train_until_killed(tmp_path, every=128, fault=all_of(in_a_world_of_its_own, kill))
        is not None
    )
    assert nobody_is_left_of(tmp_path)
    assert list((tmp_path / "scratch").iterdir()) == []
    require_resumed(tmp_path, reference=uninterrupted_run)  # at once: the lock was free


def children() -> list[str]:
    """The processes that this one has started and that have not ended."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def shared_memory() -> set[str]:
    """The parts of shared memory that this process sees."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return {line.split()[-1] for line in lines if "/dev/shm" in line or "/SYSV" in line}


def open_files() -> set[str]:
    """The files that this process has open."""
    links = list(Path("/proc/self/fd").iterdir())
    return {str(link.readlink()) for link in links if link.is_symlink()}


@linux
@pytest.mark.fault("A6")
def test_while_it_trains_a_run_is_one_process_with_files_in_its_folder(tmp_path: Path) -> None:
    """There are no workers that could be orphaned: all data lies in the process itself."""

    def fault() -> None:
        shared, files = shared_memory(), open_files()

        def look(_: object) -> None:
            strange = [name for name in open_files() - files if not name.startswith(str(run))]
            Path("seen").write_text(f"{children()} {shared_memory() - shared} {strange}")

        run = Path(RUN).resolve()
        after_step(11, look)()

    assert run_training(tmp_path, fault=fault).code == 0
    assert (tmp_path / "seen").read_text() == "[] set() []"


def names(path: Path) -> set[str]:
    """Every name in the source of a module, and every part of one."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                found |= set(name.split("."))
            case ast.ImportFrom(module=str(module)):
                found |= set(module.split("."))
    return found


@pytest.mark.fault("A6")
def test_no_module_starts_workers() -> None:
    """Only ``subprocess.run`` is used, for programs that are waited for, as git."""
    assert len(SOURCES) > 50
    assert [path for path in SOURCES if names(path) & STARTERS] == []


def test_a_worker_would_be_found(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("from torch.utils.data import DataLoader\nimport os\nos.fork()\n")
    assert names(module) & STARTERS == {"DataLoader", "fork"}
