"""A part of the state that is forgotten makes another run, and the comparison sees it."""

import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from genctl.common import tensors
from genctl.model import Model
from genctl.training import session
from genctl.training.early_stopping import Standing
from genctl.training.state import State
from tests.faults.resuming import RUN
from tests.support.processes import (
    Fault,
    all_of,
    differing_parts,
    no_fault,
    outcome,
    require_same,
    run_training,
    signal_after_step,
)

SCORED = ("--set", "evaluation.every=96")
STEP = 17  # one step after a checkpoint, and in the middle of a line of metrics

LEARNED = {
    "the weights": r"model\..*(weight|bias)",
    "BatchNorm's statistics": r"model\..*running_",
    "the generator's optimizer": r"optimizer\.generator\.",
    "the critic's optimizer": r"optimizer\.critic\.",
    "the encoder's optimizer": r"optimizer\.encoder\.",
    "the average": r"average\.",
}
"""Parts of a checkpoint, by the names of their tensors."""

COUNTED = {"the meter": "meter", "the steps": "step", "the images": "images",
           "the best score": "standing"}  # fmt: skip
"""Parts of a checkpoint, by the names of their metadata."""

FORGET: dict[str, Callable[[State], None]] = {
    "the meter": lambda state: state.meter.restore({}, {}),
    "the steps": lambda state: setattr(state, "step", 0),
    "the images": lambda state: setattr(state, "images", 0),
    "the best score": lambda state: setattr(state, "standing", Standing()),
}


class FirstIsBest:
    """Scores that cost nothing and get worse, so that the model of the first ones is kept."""

    def score(self, model: Model) -> dict[str, float]:
        weights = [value.abs().sum() for value in model.roles["generator"].parameters()]
        return {"fid": 1 / float(torch.stack(weights).sum())}


def scored() -> None:
    session.Session._scorer = lambda *_: FirstIsBest()  # type: ignore[assignment, method-assign]


def without(part: str) -> Fault:
    """Forget a part of the state whenever a checkpoint is read; the empty string is none."""

    def happen() -> None:
        load = State.load

        def load_forgetfully(self: State, path: Path) -> dict[str, Any]:
            fresh = {name: value.clone() for name, value in self.learned().items()}
            metadata = load(self, path)
            if part in FORGET:
                FORGET[part](self)
            for name, value in self.learned().items():
                if part in LEARNED and re.match(LEARNED[part], name):
                    value.copy_(fresh[name])
            return metadata

        State.load = load_forgetfully  # type: ignore[method-assign]

    return happen


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is left of a scored run that nothing happens to."""
    folder = tmp_path_factory.mktemp("scored")
    assert run_training(folder, *SCORED, fault=scored).code == 0
    left = outcome(folder / RUN)
    assert left["metadata"]["standing"]["best_images"] == 96
    return left


def resumed(folder: Path, fault: Fault) -> dict[str, Any]:
    """What is left of the same run, stopped half-way and then resumed while something happens."""
    stop = all_of(scored, signal_after_step(signal.SIGTERM, step=STEP))
    assert run_training(folder, *SCORED, fault=stop).code == 143
    assert run_training(folder, *SCORED, fault=all_of(scored, fault)).code == 0
    return outcome(folder / RUN)


@pytest.mark.fault("A5")
@pytest.mark.parametrize("part", [*LEARNED, *COUNTED])
def test_without_any_part_of_the_state_it_is_another_run(
    part: str, reference: dict[str, Any], tmp_path: Path
) -> None:
    """No exit code and no message can tell a program what it forgot; the comparison must."""
    assert differing_parts(resumed(tmp_path, without(part)), reference)


@pytest.mark.fault("A5")
@pytest.mark.parametrize("fault", [no_fault, without("")])
def test_with_all_of_them_it_is_the_same_run(
    fault: Fault, reference: dict[str, Any], tmp_path: Path
) -> None:
    assert differing_parts(resumed(tmp_path, fault), reference) == []


def test_the_best_score_decides_which_model_is_kept(
    reference: dict[str, Any], tmp_path: Path
) -> None:
    assert "model" in differing_parts(resumed(tmp_path, without("the best score")), reference)


# -- files that lack it ---------------------------------------------------------------------------


@pytest.mark.fault("A5")
@pytest.mark.parametrize("part", [*LEARNED, *COUNTED])
def test_a_checkpoint_that_lacks_it_is_put_aside_for_the_one_before(
    part: str, uninterrupted_run: Path, tmp_path: Path
) -> None:
    """A right digest does not make it whole: somebody wrote it like that."""
    assert run_training(tmp_path, fault=signal_after_step(signal.SIGTERM, step=STEP)).code == 143
    newest = max((tmp_path / RUN / "checkpoints").iterdir())
    content, metadata, _ = tensors.read(newest, "checkpoint")
    metadata.pop(COUNTED.get(part, ""), None)
    lacking = {n: v for n, v in content.items() if not re.match(LEARNED.get(part, "$"), n)}
    tensors.write(newest, lacking, metadata)
    before = newest.read_bytes()
    done = run_training(tmp_path)
    assert done.code == 0
    (warning,) = [line for line in done.err.splitlines() if "warning" in line]
    assert f"genctl: warning: cannot use {newest.relative_to(tmp_path)}: " in warning
    assert "is missing" in warning or "does not say how far the run was" in warning
    assert "going on from the checkpoint before it" in warning
    assert " from 256 images" in done.err
    assert newest.with_suffix(".damaged").read_bytes() == before
    require_same(tmp_path / RUN, uninterrupted_run)
