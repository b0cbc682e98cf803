"""A run is one process, and leaves nothing but its folder when it is killed."""

import ast
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.faults.resuming import RUN, require_resumed, train_until_killed
from tests.support.processes import after_step, all_of, run_training

BENCHMARK = REPOSITORY / "genctl" / "benchmark"  # its plain loop may use a DataLoader
SOURCES = sorted(set((REPOSITORY / "genctl").rglob("*.py")) - set(BENCHMARK.rglob("*.py")))
STARTERS = {"DataLoader", "multiprocessing", "fork", "Popen", "ProcessPoolExecutor", "spawn"}

linux = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")


def isolate() -> None:
    """Lead a new process group, with an empty folder for temporary files."""
    os.setpgid(0, 0)
    Path("leader").write_text(str(os.getpid()))
    Path("scratch").mkdir(exist_ok=True)
    os.environ["TMPDIR"] = str(Path("scratch").resolve())


def has_no_processes(folder: Path) -> bool:
    """Whether all processes of the group have ended."""
    try:
        os.killpg(int((folder / "leader").read_text()), 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.fault("A6")
@pytest.mark.parametrize("step", [1, 11, 16])  # 16: the last step before a checkpoint
def test_a_killed_run_leaves_no_process_no_lock_and_no_temporary_file(
    step: int, uninterrupted_run: Path, tmp_path: Path
) -> None:
    kill = after_step(step, lambda _: os.kill(os.getpid(), signal.SIGKILL))
    assert train_until_killed(tmp_path, every=128, fault=all_of(isolate, kill)) is not None
    assert has_no_processes(tmp_path)
    assert list((tmp_path / "scratch").iterdir()) == []
    require_resumed(tmp_path, reference=uninterrupted_run)  # at once: the lock was free


def children() -> list[str]:
    """The running child processes."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def shared_memory() -> set[str]:
    """The shared memory that this process has mapped."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return {line.split()[-1] for line in lines if "/dev/shm" in line or "/SYSV" in line}


def open_files() -> set[str]:
    """The files that this process has open."""
    links = list(Path("/proc/self/fd").iterdir())
    return {str(link.readlink()) for link in links if link.is_symlink()}


@linux
@pytest.mark.fault("A6")
def test_a_training_run_is_one_process_with_open_files_in_its_folder_only(tmp_path: Path) -> None:

    def fault() -> None:
        shared, files = shared_memory(), open_files()

        def look(_: object) -> None:
            others = [name for name in open_files() - files if not name.startswith(str(run))]
            Path("seen").write_text(f"{children()} {shared_memory() - shared} {others}")

        run = Path(RUN).resolve()
        after_step(11, look)()

    assert run_training(tmp_path, fault=fault).code == 0
    assert (tmp_path / "seen").read_text() == "[] set() []"


def names(path: Path) -> set[str]:
    """All names in the source of a module, split at dots."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                found |= set(name.split("."))
            case ast.ImportFrom(module=str(module)):
                found |= set(module.split("."))
    return found


@pytest.mark.fault("A6")
def test_no_module_starts_processes() -> None:
    """Except by ``subprocess.run``, which waits for them, and a sweep, whose runs end with it."""
    assert len(SOURCES) > 50
    starting = [path for path in SOURCES if names(path) & STARTERS]
    assert ["/".join(path.parts[-2:]) for path in starting] == ["sweeps/processes.py"]


def test_a_started_process_would_be_found(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("from torch.utils.data import DataLoader\nimport os\nos.fork()\n")
    assert names(module) & STARTERS == {"DataLoader", "fork"}
