"""SIGKILL before, during and after every system call on the run directory."""

import json
import random
import shutil
import signal
from pathlib import Path

import pytest
from PIL import Image

from genctl.common import tensors
from genctl.common.files import PREFIX
from genctl.config import config
from tests.faults.disk import killed_at, log_moments
from tests.faults.resuming import RUN, require_resumed, train_until_killed
from tests.support.processes import (
    checkpointed_images,
    read_metrics,
    require_same,
    run_training,
    signal_after_step,
)

EVERY = 96  # images from one checkpoint to the next
SHORT = ("--set", "training.images=192", "--set", f"training.checkpoint_every={EVERY}",
         "--set", "training.keep=1")  # fmt: skip
SHARES = 8


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder, in which a run is started."""
    return tmp_path_factory.mktemp("new")


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped half-way, resumed, and killed in its second part."""
    folder = tmp_path_factory.mktemp("half")
    assert run_training(folder, *SHORT, fault=signal_after_step(signal.SIGTERM, step=7)).code == 143
    result = (folder / RUN / "result.json").read_bytes()
    assert run_training(folder, *SHORT, fault=signal_after_step(signal.SIGKILL, step=4)).code == -9
    (folder / RUN / "result.json").write_bytes(result)  # killed before it was deleted
    for place in (folder / RUN, folder / RUN / "samples", folder / RUN / "checkpoints"):
        (place / f"{PREFIX}left").write_bytes(b"half a file")
    return folder


@pytest.fixture(scope="module")
def reference(new: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted short run; the file ``moments`` lists its system calls."""
    return complete_and_record(new, tmp_path_factory.mktemp("reference") / "whole")


def complete_and_record(start: Path, folder: Path) -> Path:
    """Copy ``start``, complete the run there, and record its system calls."""
    shutil.copytree(start, folder)
    assert run_training(folder, *SHORT, fault=log_moments(Path("moments"))).code == 0
    return folder


def moments_of(folder: Path) -> list[str]:
    return (folder / "moments").read_text().splitlines()


def one_of_each_kind(moments: list[str]) -> list[int]:
    """One moment of each kind, as "before fsync", at a random file."""
    kinds: dict[str, list[int]] = {}
    for number, moment in enumerate(moments, start=1):
        kinds.setdefault(" ".join(moment.split()[:2]), []).append(number)
    chance = random.Random(0)
    return [chance.choice(numbers) for numbers in kinds.values()]


def kill_and_resume(number: int, start: Path, folder: Path, reference: Path) -> bool:
    """Copy ``start``, kill it at the ``number``-th moment, resume; False if there are fewer."""
    shutil.copytree(start, folder)
    newest = train_until_killed(folder, *SHORT, every=EVERY, fault=killed_at(number))
    if newest is None:
        require_same(folder / RUN, reference / RUN)
        return False
    require_whole(folder / RUN)
    require_resumed(folder, *SHORT, reference=reference / RUN)
    return True


def require_whole(run: Path) -> None:
    """Every file with its final name is complete."""
    for path in run.rglob("[!.]*"):
        match path.suffix:
            case ".safetensors":
                kind = "checkpoint" if path.parent.name == "checkpoints" else "model"
                tensors.read(path, kind)
            case ".png":
                with Image.open(path) as picture:
                    picture.load()
            case ".json":
                json.loads(path.read_text())
            case ".yaml":
                config.load(str(path))
            case ".jsonl":  # the only file that grows; its last line may be incomplete
                for line in path.read_text().splitlines()[:-1]:
                    json.loads(line)
            case _:
                assert path.is_dir() or "tfevents" in path.name, path


@pytest.mark.fault("A3")
def test_killed_at_a_moment_of_each_kind_it_is_the_same_run(
    new: Path, reference: Path, tmp_path: Path
) -> None:
    numbers = one_of_each_kind(moments_of(reference))
    assert len(numbers) >= 19
    for number in numbers:
        assert kill_and_resume(number, new, tmp_path / str(number), reference), number


@pytest.mark.fault("A3")
def test_killed_again_while_it_resumes_it_is_the_same_run(
    half: Path, reference: Path, tmp_path: Path
) -> None:
    moments = moments_of(complete_and_record(half, tmp_path / "whole"))
    only_here = sorted(set(moments) - set(moments_of(reference)))
    assert len(only_here) == 11
    for moment in only_here:
        number = moments.index(moment) + 1
        assert kill_and_resume(number, half, tmp_path / str(number), reference), moment


@pytest.mark.slow
@pytest.mark.fault("A3")
@pytest.mark.parametrize("start", ["new", "half"])
@pytest.mark.parametrize("share", range(SHARES))
def test_killed_at_every_moment_it_is_the_same_run(
    share: int, start: str, reference: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """As SQLite tests disk errors: at the first call, at the second, until none is left."""
    beginning = request.getfixturevalue(start)
    count = len(moments_of(complete_and_record(beginning, tmp_path / "whole")))
    for number in range(1 + share, count + 1, SHARES):
        folder = tmp_path / str(number)
        assert kill_and_resume(number, beginning, folder, reference), number
        shutil.rmtree(folder)
    assert not kill_and_resume(count + 1, beginning, tmp_path / "survives", reference)


# -- the order of calls ---------------------------------------------------------------------------


def test_the_half_run_has_leftovers(half: Path) -> None:
    assert checkpointed_images(half / RUN) == ["96", "112"]
    assert read_metrics(half / RUN)[-1]["images"] == 144
    assert len(list(half.rglob(f"{PREFIX}*"))) == 3


@pytest.mark.fault("A3")
def test_a_file_is_synced_then_renamed_then_its_folder_is_synced(
    reference: Path,
) -> None:
    """So that a power failure loses nothing, which SIGKILL cannot test."""
    moments = moments_of(reference)
    replacements = [i for i, moment in enumerate(moments) if moment.startswith("before replace")]
    assert len(replacements) == 12  # environment.json twice: what it depends on, then its engine
    for i in replacements:
        _, _, part, target = moments[i].split()
        written = moments[moments.index(f"before write {part}", i - 15) : i]
        assert written == [
            f"{when} {call} {part}"
            for call in ("write", "flush", "fchmod", "fsync", "close")
            for when in (("before", "during", "after") if call == "write" else ("before", "after"))
        ]
        folder = Path(target).parent
        assert moments[i + 1 : i + 6] == [
            f"after replace {part} {target}", f"before open {folder}", f"after open {folder}",
            f"before fsync {folder}", f"after fsync {folder}",
        ]  # fmt: skip


@pytest.mark.fault("A3")
def test_metrics_samples_and_model_are_synced_before_the_checkpoint(reference: Path) -> None:
    moments = moments_of(reference)
    saved = [i for i, moment in enumerate(moments) if is_new(moment, "checkpoints/")]
    assert len(saved) == 2
    for start, i in zip([0, *saved], saved, strict=False):
        before = moments[start:i]
        assert any(is_new(moment, "run/model.safetensors") for moment in before)
        assert any(is_new(moment, "samples/") for moment in before)
        lines = max(n for n, m in enumerate(before) if m == f"after write {RUN}/metrics.jsonl")
        assert f"after fsync {RUN}/metrics.jsonl" in before[lines:]


@pytest.mark.fault("A3")
def test_an_old_checkpoint_is_deleted_after_the_new_one_is_synced(reference: Path) -> None:
    moments = moments_of(reference)
    there = max(i for i, moment in enumerate(moments) if is_new(moment, "checkpoints/"))
    assert f"after fsync {RUN}/checkpoints" in moments[there:]
    deleted = moments.index(f"before unlink {RUN}/checkpoints/000000096.safetensors")
    assert moments.index(f"after fsync {RUN}/checkpoints", there) < deleted


def is_new(moment: str, name: str) -> bool:
    return moment.startswith("after replace") and name in moment.split()[-1]
