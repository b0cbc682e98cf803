"""Training that diverges, that must come out the same, or that finds no memory."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import REPOSITORY, Finished, Run, program
from life import (
    SETTINGS,
    Happening,
    after_step,
    arguments,
    checkpoints,
    differing,
    forked,
    little_memory,
    live,
    outcome,
)
from models import save_model
from refusal import changed, contents
from scorecard import proves

from genctl import tensors
from genctl.adam import Adam
from genctl.objectives.nonsaturating import NonSaturating
from genctl.trainer import Trainer

RUN = Path("runs") / "run"


def require_finite_files(run: Path) -> None:
    """Whatever was written is made of numbers."""
    for path in run.rglob("*.safetensors"):
        kind = "model" if path.name == "model.safetensors" else "checkpoint"
        tensors.require_finite(tensors.read(path, kind)[0], path)
    metrics = run / "metrics.jsonl"
    for line in metrics.read_text().splitlines() if metrics.exists() else []:
        assert not re.search("NaN|Infinity", line)


# -- G1: divergence -------------------------------------------------------------------------------

STEP = 20  # after the checkpoints of 128 and 256 images
NAN = float("nan")


def nan_in_the_loss(_: Trainer) -> None:
    NonSaturating.generator_terms = (  # type: ignore[method-assign]
        lambda self, score, real, fake, batch: {"fake": fake.mean() * NAN}
    )


def nan_in_one_gradient(_: Trainer) -> None:
    step = Adam.step

    def spoiled(self: Adam, *words: Any) -> None:
        gradient = next(p.grad for p in self.parameters if p.grad is not None)
        gradient[(0,) * gradient.ndim] = NAN
        step(self, *words)

    Adam.step = spoiled  # type: ignore[method-assign]


def nan_in_one_image(trainer: Trainer) -> None:
    batch = trainer.batches.batch

    def spoiled(*words: Any) -> Any:
        made = batch(*words)
        made.real[0, 0, 0, 0] = NAN
        return made

    trainer.batches.batch = spoiled  # type: ignore[method-assign]


def infinity_in_a_weight(trainer: Trainer) -> None:
    weight = next(trainer.state.model.parameters()).data
    weight[(0,) * weight.ndim] = torch.inf


def nan_in_the_average(trainer: Trainer) -> None:
    weight = next(trainer.averaged.parameters()).data
    weight[(0,) * weight.ndim] = NAN


POISONS = (
    nan_in_the_loss, nan_in_one_gradient, nan_in_one_image, infinity_in_a_weight, nan_in_the_average
)  # fmt: skip


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run. Do not write."""
    folder = tmp_path_factory.mktemp("reference")
    assert live(folder).code == 0
    return folder / RUN


@proves("G1", "EMNR")
@pytest.mark.parametrize("poison", POISONS)
def test_what_diverges_ends_with_its_last_good_weights_and_is_not_tried_again(
    poison: Callable[[Trainer], None], reference: Path, tmp_path: Path
) -> None:
    done = live(tmp_path, happening=after_step(STEP, poison))
    assert done.code == done.json["exit_code"] == 3
    assert done.json["status"] == "diverged"
    (line,) = [line for line in done.err.splitlines() if "genctl: error:" in line]
    assert re.search("diverged: .+ became infinite or not a number", line)
    run = tmp_path / RUN
    require_finite_files(run)
    assert checkpoints(run) == ["128", "256"]
    before = contents(run)
    again = live(tmp_path)
    assert again.code == 3
    assert "would again; change its settings, or start it anew with --fresh" in again.err
    assert [name for name in changed(before, run) if "/." not in name] == []
    (run / "result.json").unlink()  # who knows better may go on from there: the same run
    assert live(tmp_path).code == 0
    assert differing(outcome(run), outcome(reference)) == []


@proves("G1", "EMN")
@pytest.mark.parametrize("objective", ["nonsaturating", "hinge", "wgan_gp", "r3gan", "vae"])
def test_a_rate_out_of_this_world_diverges_in_every_game(objective: str, tmp_path: Path) -> None:
    far = ("--set", "optimizer.learning_rate=1e20", "--set", f"objective.kind={objective}")
    done = live(tmp_path, *far)
    assert done.code == 3, done.err
    assert "became infinite or not a number" in done.err
    require_finite_files(tmp_path / RUN)
    assert live(tmp_path, *far).code == 3


# -- G2: determinism ------------------------------------------------------------------------------

SHORT = arguments(settings=(*SETTINGS, "training.images=256"))
WORLDS = {
    "plain": {},
    "elsewhere": {"PYTHONHASHSEED": "1", "TZ": "Pacific/Auckland", "LANG": "de_DE.UTF-8",
                  "LC_ALL": "C"},
}  # fmt: skip


@proves("G2", "EMNR")
def test_neither_place_nor_time_nor_language_changes_a_bit(tmp_path: Path) -> None:
    results, pictures = [], []
    for name, environment in WORLDS.items():
        folder = tmp_path / name / "deep" if environment else tmp_path / name
        folder.mkdir(parents=True)
        done = program(*SHORT, cwd=folder, **environment)
        assert done.code == 0, done.err
        for out in ("a.png", "b.png"):
            words = ("--n", 4, "--condition", "digits:test[0:2]", "--condition", "noise")
            drawn = program("sample", *words, "--out", out, cwd=folder, **environment)
            assert drawn.code == 0, drawn.err
        results.append(outcome(folder / RUN))
        pictures += [pixels(folder / "a.png"), pixels(folder / "b.png")]
    assert differing(*results) == []
    assert all(picture == pictures[0] for picture in pictures)


def pixels(path: Path) -> bytes:
    from PIL import Image

    with Image.open(path) as picture:
        return picture.tobytes()


@proves("G2", "N")
def test_another_seed_gives_another_run_and_other_pictures(
    genctl: Run, reference: Path, tmp_path: Path
) -> None:
    assert live(tmp_path, "--set", "training.seed=1").code == 0
    different = differing(outcome(tmp_path / RUN), outcome(reference))
    assert {"checkpoint", "metrics", "samples", "model"} <= set(different)
    for seed in (0, 1):
        words = ("--run", reference, "--n", 4, "--condition", "label:1", "--seed", seed)
        assert genctl("sample", *words, "--out", f"{seed}.png").code == 0
    assert pixels(tmp_path / "0.png") != pixels(tmp_path / "1.png")


# -- G3: memory -----------------------------------------------------------------------------------

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")


def require_advice(done: Finished) -> None:
    (line,) = [line for line in done.err.splitlines() if "genctl: error:" in line]
    assert "memory" in line
    assert "; " in line or "ask for fewer images at a time" in line, "a way out"
    assert "Traceback" not in done.err


@linux
@proves("G3", "EMNR")
def test_a_batch_too_large_for_the_memory_is_told(tmp_path: Path) -> None:
    large = ("--set", "training.batch_size=65536", "--set", "training.images=65536")
    done = live(tmp_path, *large, happening=little_memory(300 * 2**20))
    assert done.code == done.json["exit_code"] == 71
    require_advice(done)
    assert checkpoints(tmp_path / RUN) == []
    assert live(tmp_path, "--fresh").code == 0


def out_of_memory(_: Any = None) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def at_first_step() -> None:
    Trainer.step = lambda self, progress: out_of_memory()  # type: ignore[method-assign]


def in_a_save() -> None:
    Trainer.save_samples = out_of_memory  # type: ignore[method-assign]


MOMENTS: dict[str, tuple[Happening, list[str]]] = {
    "at the first step": (at_first_step, []),
    "in the middle": (after_step(STEP, out_of_memory), ["128", "256"]),
    "when pictures are drawn": (in_a_save, []),
}


@proves("G3", "EMNR")
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_gpu_without_memory_leaves_the_last_checkpoint_and_the_same_line_goes_on(
    moment: str, reference: Path, tmp_path: Path
) -> None:
    happening, left = MOMENTS[moment]
    done = live(tmp_path, happening=happening)
    assert done.code == done.json["exit_code"] == 71
    assert done.json["status"] == "failed"
    require_advice(done)
    assert checkpoints(tmp_path / RUN) == left
    require_finite_files(tmp_path / RUN)
    assert live(tmp_path).code == 0
    assert differing(outcome(tmp_path / RUN), outcome(reference)) == []


@linux
@proves("G3", "EMNR")
@pytest.mark.parametrize("command", ["sample", "encode", "evaluate"])
def test_other_commands_tell_it_too_and_write_nothing(command: str, tmp_path: Path) -> None:
    model = save_model(tmp_path / "model.safetensors")
    words = {
        "sample": ["sample", "--run", str(model), "--n", "3000000", "--format", "npz",
                   "--condition", "label:1", "--out", "out.npz", "--batch-size", "3000000"],
        "encode": ["encode", "digits:test", "--run", str(model), "--out", "out.npz"],
        "evaluate": ["evaluate", "--run", str(model)],
    }  # fmt: skip
    spare = {"sample": 2**29, "encode": 2**20, "evaluate": 2**20}[command]
    before = contents(tmp_path)
    done = forked(tmp_path, [*words[command], "--quiet"], little_memory(spare))
    assert (done.code, done.out) == (71, ""), done.err
    require_advice(done)
    streams = [str(tmp_path / "err"), str(tmp_path / "out")]
    assert [name for name in changed(before, tmp_path) if name not in streams] == []
    assert forked(tmp_path, ["sample", "--run", str(model), "--n", "1"]).code == 0


@linux
@proves("G3", "EM")
@pytest.mark.parametrize("gigabytes", [0.3, 1, 2])
def test_a_limit_that_torch_itself_does_not_fit_in_is_told(
    gigabytes: float, tmp_path: Path
) -> None:
    line = f'ulimit -v {int(gigabytes * 2**20)}; exec "{sys.executable}" -m genctl "$@"'
    done = subprocess.run(
        ["bash", "-c", line, "genctl", "sample", "--run", "nothing.safetensors"],
        capture_output=True, text=True, cwd=tmp_path, check=False, timeout=120,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    if done.returncode == 66:
        assert gigabytes > 1, "only where torch could be loaded"
        return
    assert done.returncode == 71, done.stderr
    require_advice(Finished(done.returncode, done.stdout, done.stderr))
