"""Training that diverges, and training that must give the same bits again."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from genctl.objectives.nonsaturating import NonSaturating
from genctl.training.adam import Adam
from genctl.training.trainer import Trainer
from tests.conftest import RunGenctl, run_genctl
from tests.faults.refusal import changed, contents, require_finite_files
from tests.support.processes import (
    SETTINGS,
    after_step,
    checkpointed_images,
    differing_parts,
    outcome,
    run_training,
    train_arguments,
)

RUN = Path("runs") / "run"


# -- G1: divergence --------------------------------------------------------------------------------

STEP = 20  # after the checkpoints of 128 and 256 images
NAN = float("nan")


def nan_in_the_loss(_: Trainer) -> None:
    def terms(self: Any, critic: Any, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        return {"fake": fake.mean() * NAN}

    patch.object(NonSaturating, "generator_terms", terms).start()


def nan_in_one_gradient(_: Trainer) -> None:
    step = Adam.step

    def poisoned(self: Adam, gradients: Any, rate: Any) -> None:
        gradient = next(gradient for gradient in gradients if gradient is not None)
        gradient[(0,) * gradient.ndim] = NAN
        step(self, gradients, rate)

    patch.object(Adam, "step", poisoned).start()


def nan_in_one_image(trainer: Trainer) -> None:
    batches = trainer.engine.step.batches
    assemble = batches.assemble

    def poisoned(*words: Any) -> Any:
        batch = assemble(*words)
        batch.real[0, 0, 0, 0] = NAN
        return batch

    patch.object(batches, "assemble", poisoned).start()


def infinity_in_a_weight(trainer: Trainer) -> None:
    weight = next(trainer.state.model.parameters()).data
    weight[(0,) * weight.ndim] = torch.inf


def nan_in_the_ema(trainer: Trainer) -> None:
    weight = next(trainer.state.ema.model.parameters()).data
    weight[(0,) * weight.ndim] = NAN


POISONS = (
    nan_in_the_loss, nan_in_one_gradient, nan_in_one_image, infinity_in_a_weight, nan_in_the_ema
)  # fmt: skip


@pytest.mark.fault("G1")
@pytest.mark.parametrize("poison", POISONS)
def test_a_run_that_diverges_keeps_its_last_good_checkpoint_and_is_not_tried_again(
    poison: Callable[[Trainer], None], uninterrupted_run: Path, tmp_path: Path
) -> None:
    done = run_training(tmp_path, fault=after_step(STEP, poison))
    assert done.code == done.json["exit_code"] == 3
    assert done.json["status"] == "diverged"
    (line,) = [line for line in done.err.splitlines() if "genctl: error:" in line]
    assert re.search("diverged: .+ became infinite or NaN", line)
    run = tmp_path / RUN
    require_finite_files(run)
    assert checkpointed_images(run) == ["128", "256"]
    before = contents(run)
    again = run_training(tmp_path)
    assert again.code == 3
    assert "would again; change its settings" in again.err
    assert "--fresh" in again.err
    assert [name for name in changed(before, run) if "/." not in name] == []
    (run / "result.json").unlink()  # deleting the result allows the run to resume
    assert run_training(tmp_path).code == 0
    assert differing_parts(outcome(run), outcome(uninterrupted_run)) == []


@pytest.mark.fault("G1")
@pytest.mark.parametrize("objective", ["nonsaturating", "hinge", "wgan_gp", "r3gan", "vae"])
def test_a_huge_learning_rate_diverges_with_every_objective(objective: str, tmp_path: Path) -> None:
    far = ("--set", "optimizer.learning_rate=1e20", "--set", f"objective.kind={objective}")
    done = run_training(tmp_path, *far)
    assert done.code == 3, done.err
    assert "became infinite or NaN" in done.err
    require_finite_files(tmp_path / RUN)
    assert run_training(tmp_path, *far).code == 3


# -- G2: determinism -------------------------------------------------------------------------------

SHORT = train_arguments(settings=(*SETTINGS, "training.images=256"))
ENVIRONMENTS = {
    "plain": {},
    "elsewhere": {"PYTHONHASHSEED": "1", "TZ": "Pacific/Auckland", "LANG": "de_DE.UTF-8",
                  "LC_ALL": "C"},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.fault("G2")
def test_place_time_zone_and_language_change_no_bit(tmp_path: Path) -> None:
    results, pictures = [], []
    for name, environment in ENVIRONMENTS.items():
        folder = tmp_path / name / "deep" if environment else tmp_path / name
        folder.mkdir(parents=True)
        done = run_genctl(*SHORT, cwd=folder, **environment)
        assert done.code == 0, done.err
        for out in ("a.png", "b.png"):
            words = ("--n", 4, "--condition", "digits:test[0:2]", "--condition", "noise")
            sampled = run_genctl("sample", *words, "--out", out, cwd=folder, **environment)
            assert sampled.code == 0, sampled.err
        results.append(outcome(folder / RUN))
        pictures += [pixels(folder / "a.png"), pixels(folder / "b.png")]
    assert differing_parts(*results) == []
    assert all(picture == pictures[0] for picture in pictures)


def pixels(path: Path) -> bytes:
    from PIL import Image

    with Image.open(path) as picture:
        return picture.tobytes()


@pytest.mark.fault("G2")
def test_another_seed_gives_another_run_and_other_samples(
    genctl: RunGenctl, uninterrupted_run: Path, tmp_path: Path
) -> None:
    assert run_training(tmp_path, "--set", "training.seed=1").code == 0
    different = differing_parts(outcome(tmp_path / RUN), outcome(uninterrupted_run))
    assert {"checkpoint", "metrics", "samples", "model"} <= set(different)
    for seed in (0, 1):
        words = ("--run", uninterrupted_run, "--n", 4, "--condition", "label:1", "--seed", seed)
        assert genctl("sample", *words, "--out", f"{seed}.png").code == 0
    assert pixels(tmp_path / "0.png") != pixels(tmp_path / "1.png")
