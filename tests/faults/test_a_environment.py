"""A run that goes on in another environment says so, and says what it costs."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import Finished
from tests.faults.resuming import RUN
from tests.support.life import Happening, live, metrics, nothing, require_same, signalled, together

OTHER = {
    "torch": "2.9.0",
    "genctl": "0.0.1",
    "device": "cuda",
    "device_name": "NVIDIA H100",
    "threads": 64,
}
"""ModelMetadata of a machine on which a run may have begun."""


def environment(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / RUN / "environment.json").read_text())
    return found


def stop(folder: Path, *more: str, step: int, happening: Happening = nothing) -> Finished:
    """One part of a run, which is asked to stop."""
    done = live(folder, *more, happening=together(happening, signalled(signal.SIGTERM, step=step)))
    assert done.code == 143, done.err
    return done


def warnings(done: Finished) -> list[str]:
    return [line for line in done.err.splitlines() if "warning" in line]


def two_threads() -> None:
    torch.set_num_threads(2)


@pytest.mark.fault("A7")
@pytest.mark.parametrize("field", OTHER)
def test_another_environment_is_told_once_and_recorded(
    field: str, untouched: Path, tmp_path: Path
) -> None:
    stop(tmp_path, step=11)
    here = environment(tmp_path)
    there = json.dumps(here | {field: OTHER[field]})
    (tmp_path / RUN / "environment.json").write_text(there)  # as if it had begun over there
    done = live(tmp_path)
    assert done.code == 0
    (line,) = warnings(done)
    assert line == (
        f"genctl: warning: resumed in another environment ({field} {OTHER[field]} -> "
        f"{here[field]}): the result will not be bit for bit that of an uninterrupted run"
    )
    assert environment(tmp_path) == here | {"bit_exact": False}
    require_same(tmp_path / RUN, untouched)  # only said to be elsewhere: nothing else differs
    assert "already complete" in live(tmp_path).err


@pytest.mark.fault("A7")
def test_other_threads_are_told_and_what_was_not_exact_stays_so(tmp_path: Path) -> None:
    short = ("--set", "training.images=224")  # two threads on one busy core are slow
    stop(tmp_path, *short, step=11)
    assert environment(tmp_path)["threads"] == 1
    (line,) = warnings(stop(tmp_path, *short, step=1, happening=two_threads))
    assert "(threads 1 -> 2)" in line
    assert environment(tmp_path)["bit_exact"] is False
    done = live(tmp_path, *short, happening=two_threads)
    assert done.code == 0
    assert warnings(done) == []  # told once
    assert environment(tmp_path)["bit_exact"] is False
    assert done.json["images"] == 224
    assert [line["images"] for line in metrics(tmp_path / RUN)] == [48, 96, 144, 192]


@pytest.mark.fault("A7")
def test_the_same_environment_is_nothing_to_tell(untouched: Path, tmp_path: Path) -> None:
    stop(tmp_path, step=11)
    assert "bit_exact" not in environment(tmp_path)  # nothing was resumed yet
    done = live(tmp_path)
    assert done.code == 0
    assert warnings(done) == []
    assert environment(tmp_path)["bit_exact"] is True
    require_same(tmp_path / RUN, untouched)
