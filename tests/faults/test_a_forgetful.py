"""Mutants that forget a part of the state: the comparison of runs must notice each of them."""

import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from genctl.common import tensors
from genctl.model import Model
from genctl.training import checkpoint, session
from genctl.training.early_stopping import EarlyStopping
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

TENSORS = {
    "the weights": r"model\..*(weight|bias)",
    "BatchNorm's statistics": r"model\..*running_",
    "the generator's optimizer": r"optimizer\.generator\.",
    "the critic's optimizer": r"optimizer\.critic\.",
    "the encoder's optimizer": r"optimizer\.encoder\.",
    "the EMA": r"ema\.",
}
"""Parts of a checkpoint, by the names of their tensors."""

METADATA = {
    "the losses": "loss_counts",
    "the steps": "step",
    "the images": "images",
    "the best score": "early_stopping",
}
"""Parts of a checkpoint, by the names of their metadata."""

FORGET: dict[str, Callable[[State], None]] = {
    "the losses": lambda state: state.losses.reset(),
    "the steps": lambda state: setattr(state, "step", 0),
    "the images": lambda state: setattr(state, "images", 0),
    "the best score": lambda state: setattr(state, "early_stopping", EarlyStopping()),
}


class FirstIsBest:
    """A fast scorer whose first score is the best, so that the model of then is kept."""

    def score(self, model: Model) -> dict[str, float]:
        weights = [value.abs().sum() for value in model.networks["generator"].parameters()]
        return {"fid": 1 / float(torch.stack(weights).sum())}


def scored() -> None:
    session.Session._scorer = lambda *_: FirstIsBest()  # type: ignore
    session.record_scorer = lambda *_: None  # type: ignore  # it has no judge


def without(part: str) -> Fault:
    """Forget a part of the state when a checkpoint is loaded; an empty string forgets nothing."""

    def inject() -> None:
        load = checkpoint.load_checkpoint

        def load_forgetfully(state: State, path: Path) -> checkpoint.CheckpointMetadata:
            fresh = {name: value.clone() for name, value in state.tensors().items()}
            metadata = load(state, path)
            if part in FORGET:
                FORGET[part](state)
            for name, value in state.tensors().items():
                if part in TENSORS and re.match(TENSORS[part], name):
                    value.copy_(fresh[name])
            return metadata

        checkpoint.load_checkpoint = load_forgetfully

    return inject


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The outcome of an uninterrupted run with scores."""
    folder = tmp_path_factory.mktemp("scored")
    assert run_training(folder, *SCORED, fault=scored).code == 0
    left = outcome(folder / RUN)
    assert left["metadata"]["early_stopping"]["best_images"] == 96
    return left


def resumed(folder: Path, fault: Fault) -> dict[str, Any]:
    """The outcome of the same run, stopped half-way and then resumed with a fault."""
    stop = all_of(scored, signal_after_step(signal.SIGTERM, step=STEP))
    assert run_training(folder, *SCORED, fault=stop).code == 143
    assert run_training(folder, *SCORED, fault=all_of(scored, fault)).code == 0
    return outcome(folder / RUN)


@pytest.mark.fault("A5")
@pytest.mark.parametrize("part", [*TENSORS, *METADATA])
def test_a_forgotten_part_of_the_state_is_noticed(
    part: str, reference: dict[str, Any], tmp_path: Path
) -> None:
    assert differing_parts(resumed(tmp_path, without(part)), reference)


@pytest.mark.fault("A5")
@pytest.mark.parametrize("fault", [no_fault, without("")])
def test_with_all_parts_it_is_the_same_run(
    fault: Fault, reference: dict[str, Any], tmp_path: Path
) -> None:
    assert differing_parts(resumed(tmp_path, fault), reference) == []


def test_the_best_score_decides_which_model_is_kept(
    reference: dict[str, Any], tmp_path: Path
) -> None:
    assert "model" in differing_parts(resumed(tmp_path, without("the best score")), reference)


# -- checkpoints without a part -------------------------------------------------------------------


@pytest.mark.fault("A5")
@pytest.mark.parametrize("part", [*TENSORS, *METADATA])
def test_a_checkpoint_without_a_part_is_renamed_and_the_one_before_is_used(
    part: str, uninterrupted_run: Path, tmp_path: Path
) -> None:
    """Even if its digest is correct."""
    assert run_training(tmp_path, fault=signal_after_step(signal.SIGTERM, step=STEP)).code == 143
    newest = max((tmp_path / RUN / "checkpoints").iterdir())
    content, metadata, _ = tensors.read(newest, "checkpoint")
    metadata.pop(METADATA.get(part, ""), None)
    lacking = {n: v for n, v in content.items() if not re.match(TENSORS.get(part, "$"), n)}
    tensors.write(newest, lacking, metadata)
    before = newest.read_bytes()
    done = run_training(tmp_path)
    assert done.code == 0
    (warning,) = [line for line in done.err.splitlines() if "warning" in line]
    assert f"genctl: warning: cannot use {newest.relative_to(tmp_path)}: " in warning
    assert "is missing" in warning or "does not say how far the run was" in warning
    assert "continuing from the checkpoint before it" in warning
    assert " from 256 images" in done.err
    assert newest.with_suffix(".damaged").read_bytes() == before
    require_same(tmp_path / RUN, uninterrupted_run)
