"""Files of other versions of genctl, and runs whose newest checkpoint is damaged."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import REPOSITORY, RunGenctl
from tests.faults.refusal import refuse
from tests.golden.write import MORE_IMAGES, sample, train
from tests.support.forge import header, with_header
from tests.support.processes import differing_parts, outcome, run_training, signal_after_step

GOLDEN = sorted((REPOSITORY / "tests" / "golden").glob("format-*"))


def arrays(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name].astype(int) if name == "images" else file[name] for name in file}


def differences(samples: Path, expected: Path) -> tuple[np.ndarray, bool]:
    """By how many levels pixels differ, and whether everything else is the same."""
    one, other = arrays(samples), arrays(expected)
    same = all(np.array_equal(one[name], other[name]) for name in one if name != "images")
    return np.abs(one["images"] - other["images"]), same


# -- D7: golden files ------------------------------------------------------------------------------


def test_there_are_golden_files() -> None:
    assert [path.name for path in GOLDEN] == ["format-1"]


@pytest.mark.fault("D7")
@pytest.mark.parametrize("folder", GOLDEN, ids=lambda path: path.name)
def test_a_golden_model_generates_the_same_images_as_ever(
    folder: Path, genctl: RunGenctl, tmp_path: Path
) -> None:
    done = genctl(*sample(folder / "run" / "model.safetensors", tmp_path / "now.npz"))
    assert done.code == 0, done.err
    levels, same = differences(tmp_path / "now.npz", folder / "samples.npz")
    assert same
    assert levels.max() <= 1  # another processor may round a sum differently


@pytest.mark.fault("D7")
@pytest.mark.parametrize("folder", GOLDEN, ids=lambda path: path.name)
def test_a_golden_run_is_listed_as_complete_and_can_be_extended(
    folder: Path, genctl: RunGenctl, tmp_path: Path
) -> None:
    shutil.copytree(folder / "run", tmp_path / "runs" / "run")
    assert genctl("runs", "--json").json["runs"][0]["status"] == "complete"
    done = genctl(*train(tmp_path / "runs", MORE_IMAGES), "--json")
    assert done.code == 0, done.err
    assert (done.json["images"], done.json["status"]) == (MORE_IMAGES, "complete")
    assert "from 640 images" in done.err
    assert genctl(*sample(tmp_path / "runs" / "run", tmp_path / "now.npz")).code == 0
    levels, same = differences(tmp_path / "now.npz", folder / "resumed.npz")
    assert same
    assert levels.max() <= 4  # four steps of Adam amplify a rounding error
    assert levels.mean() < 0.5


@pytest.mark.fault("D7")
def test_a_model_of_a_later_format_is_refused_as_such(genctl: RunGenctl, tmp_path: Path) -> None:
    whole = GOLDEN[-1] / "run" / "model.safetensors"
    found = header(whole.read_bytes())
    found["__metadata__"]["format"] = "genctl 2"
    path = tmp_path / "model.safetensors"
    path.write_bytes(with_header(whole.read_bytes(), json.dumps(found)))
    refuse(genctl, ("sample", "--run", path), "needs a newer genctl")
    shutil.copy(whole, path)
    assert genctl("sample", "--run", path, "--n", 1, "--out", "a.png").code == 0


@pytest.mark.fault("D7")
def test_a_run_continued_by_a_later_version_is_left_alone(
    genctl: RunGenctl, tmp_path: Path
) -> None:
    shutil.copytree(GOLDEN[-1] / "run", tmp_path / "runs" / "run")
    folder = tmp_path / "runs" / "run" / "checkpoints"
    content = (folder / "000000640.safetensors").read_bytes()
    found = header(content)
    found["__metadata__"]["format"] = "genctl 2"
    newer = folder / "000000672.safetensors"
    newer.write_bytes(with_header(content, json.dumps(found)))
    done = genctl(*train(tmp_path / "runs", MORE_IMAGES), "--quiet")
    assert done.code == 65
    assert "needs a newer genctl" in done.err
    assert sorted(path.name for path in folder.iterdir()) == [
        "000000640.safetensors", "000000672.safetensors",
    ]  # fmt: skip
    newer.unlink()
    assert genctl(*train(tmp_path / "runs", MORE_IMAGES), "--quiet").code == 0


# -- D8: a damaged newest checkpoint ---------------------------------------------------------------


@pytest.mark.fault("D8")
def test_a_damaged_newest_checkpoint_is_renamed_and_the_one_before_used(
    tmp_path: Path, uninterrupted_run: Path
) -> None:
    assert run_training(tmp_path, fault=signal_after_step(signal.SIGTERM, step=17)).code == 143
    run = tmp_path / "runs" / "run"
    newest = max((run / "checkpoints").glob("*.safetensors"))
    damaged = newest.read_bytes()[:-100]
    newest.write_bytes(damaged)
    done = run_training(tmp_path)
    assert done.code == 0
    (warning,) = [line for line in done.err.splitlines() if line.startswith("genctl: warning: ")]
    assert f"cannot use {newest.relative_to(tmp_path)}: truncated" in warning
    assert f"kept as {newest.stem}.damaged, continuing from the checkpoint before it" in warning
    assert "from 256 images" in done.err
    assert newest.with_suffix(".damaged").read_bytes() == damaged
    assert differing_parts(outcome(run), outcome(uninterrupted_run)) == []


@pytest.mark.fault("D8")
def test_a_named_model_is_never_replaced_by_another(
    genctl: RunGenctl, tiny_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "runs" / "mine"
    shutil.copytree(tiny_run, run)
    (run / "model.safetensors").write_bytes(b"")
    for name in ("mine", run, run / "model.safetensors"):
        refuse(genctl, ("sample", "--run", name), "truncated")
    for name in ("yours", run / "checkpoints" / "none.safetensors", "x" * 300):
        refuse(genctl, ("sample", "--run", name), "cannot", code=66)
