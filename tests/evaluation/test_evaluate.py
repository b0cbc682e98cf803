"""The command ``genctl evaluate``, on a tiny run and on models whose scores are known."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from genctl.data.digits import Digits
from genctl.evaluation import lessons
from genctl.evaluation.evaluate import Question, evaluate
from genctl.model import Model
from genctl.runs import model_file
from tests.conftest import RunGenctl
from tests.support.painters import Copyist, Mirror, unconditional
from tests.support.recorder import Recorder

CPU = torch.device("cpu")
KEYS = {
    "run", "model_sha256", "judge", "n", "against", "features", "seeds", "scores", "real", "std",
    "per_class", "warnings",
}  # fmt: skip
COMPARED = {"fid", "precision", "recall", "density", "coverage", "agreement", "diversity", "copies"}
PROBED = {"linear_probe", "nearest_neighbours"}


@pytest.fixture(autouse=True, scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One judge for all tests, trained in seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENCTL_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(lessons, "EPOCHS", 1)
        patch.setattr(lessons, "MIN_LOOKS", 8_000)
        yield


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of the tiny run that may be written to."""
    for name in ("config.yaml", "model.safetensors"):
        (tmp_path / "runs" / "tiny").mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny_run / name, tmp_path / "runs" / "tiny" / name)
    return tmp_path / "runs" / "tiny"


# -- the command ----------------------------------------------------------------------------------


def test_a_run_is_measured_beside_real_images(genctl: RunGenctl, run: Path) -> None:
    done = genctl("evaluate", "--json", "--seeds", 2)
    result = done.json
    assert done.code == 0
    assert result.keys() == KEYS
    assert result["run"] == str(Path("runs/tiny"))
    assert result["model_sha256"] == model_file.read(run / "model.safetensors", CPU).digest
    assert (result["n"], result["against"], result["seeds"]) == (300, "train", 2)
    assert result["scores"].keys() == COMPARED | PROBED
    assert result["real"].keys() == result["std"].keys() == COMPARED
    assert result["std"]["fid"] > 0
    assert result["scores"]["fid"] > result["real"]["fid"]
    assert result["real"]["agreement"] == pytest.approx(result["judge"]["accuracy"])
    assert list(result["per_class"]) == list("0123456789")
    assert result["per_class"]["3"]["scores"]["share"] == pytest.approx(0.1)
    assert "evaluating runs/tiny/model.safetensors" in done.err
    assert "real images" in done.err  # the table, for people
    assert json.loads((run / "evaluation.json").read_text()) == result


def test_without_json_the_table_is_the_answer(genctl: RunGenctl, run: Path) -> None:
    done = genctl("evaluate", "--run", "tiny", "--seeds", 1, "--n", 100, "--quiet")
    lines = done.out.splitlines()
    assert lines[0] == "runs/tiny: 100 samples against train images"
    assert lines[1].split() == ["score", "model", "±", "std", "real", "images"]
    assert [line.split("  ")[0] for line in lines[2:]] == [
        "fid", "precision", "recall", "density", "coverage", "agreement", "diversity", "copies",
        "linear probe", "nearest neighbours",
    ]  # fmt: skip
    assert "training" not in done.err


def test_a_model_file_alone_is_measured_and_nothing_is_kept(
    genctl: RunGenctl, run: Path, tmp_path: Path
) -> None:
    shutil.copy(run / "model.safetensors", tmp_path / "alone.safetensors")
    done = genctl("evaluate", "--run", "alone.safetensors", "--seeds", 1, "--n", 50, "--json")
    assert done.json["run"] == "alone.safetensors"
    assert not list(tmp_path.glob("evaluation.json"))


def test_samples_can_be_held_against_the_test_images(genctl: RunGenctl, run: Path) -> None:
    arguments = ("evaluate", "--seeds", 1, "--n", 60, "--json", "--quiet", "--against")
    test, train = (genctl(*arguments, split).json for split in ("test", "train"))
    assert test["against"] == "test"
    assert test["scores"]["fid"] != train["scores"]["fid"]
    assert test["scores"]["agreement"] == train["scores"]["agreement"]


def test_cas_examines_a_classifier_that_saw_samples_alone(genctl: RunGenctl, run: Path) -> None:
    result = genctl("evaluate", "--seeds", 1, "--n", 50, "--cas", "--json", "--quiet").json
    assert 0.2 < result["scores"]["cas"] <= result["real"]["cas"] == result["judge"]["accuracy"]


def test_inception_without_weights_says_where_they_belong(
    genctl: RunGenctl, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    done = genctl("evaluate", "--features", "inception")
    assert done.code == 69
    weights = tmp_path / "hub" / "hub" / "checkpoints" / "inception_v3_google-0cc3c7bd.pth"
    assert f"cannot find {weights}" in done.err


def test_a_pickle_in_place_of_weights_is_refused(
    genctl: RunGenctl, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "hub" / "checkpoints" / "inception_v3_google-0cc3c7bd.pth"
    path.parent.mkdir(parents=True)
    torch.save({"weight": Path("anything but a tensor")}, path)
    assert genctl("evaluate", "--features", "inception").code == 65


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--n", "5"], 2, "--n 5: the 5 nearest neighbours need at least 6"),
        (["--run", "nothing"], 66, "cannot find --run nothing"),
        (["--device", "tpu"], 2, "--device tpu: not a device"),
        (["--against", "valid"], 2, "--against"),
    ],
)
def test_what_cannot_be_is_told(
    genctl: RunGenctl, run: Path, arguments: list[str], code: int, words: str
) -> None:
    done = genctl("evaluate", *arguments)
    assert done.code == code
    assert words in done.err


@pytest.mark.parametrize("kind", ["label", "none"])
def test_models_of_other_conditions_are_measured_too(genctl: RunGenctl, kind: str) -> None:
    short = ("--set", "training.images=64", "--set", f"condition.kind={kind}", "--quiet")
    assert genctl("train", "--config", "tiny", "--name", kind, *short).code == 0
    scores = genctl("evaluate", "--n", 60, "--seeds", 1, "--json", "--quiet").json["scores"]
    assert scores.keys() == (COMPARED if kind == "label" else COMPARED - {"agreement"})
    with_cas = genctl("evaluate", "--n", 60, "--seeds", 1, "--cas", "--json", "--quiet")
    assert with_cas.code == (0 if kind == "label" else 2)
    assert ("cannot be asked for a class" in with_cas.err) == (kind == "none")


def test_images_without_classes_cannot_be_judged(genctl: RunGenctl, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(100):
        Image.new("L", (16, 16), 2 * number).save(folder / f"{number}.png")
    settings = ("data.kind=folder", f"data.root={folder}", "data.image_size=16")
    settings += ("training.images=64", "condition.kind=none")
    sets = [word for setting in settings for word in ("--set", setting)]
    assert genctl("train", "--config", "tiny", "--name", "nameless", *sets, "--quiet").code == 0
    done = genctl("evaluate", "--quiet")
    assert done.code == 2
    assert "cannot train a judge: the images have no classes" in done.err


# -- models whose scores are known ----------------------------------------------------------------


def test_a_mirror_scores_as_real_images_and_is_told_that_it_ignores_z(run: Path) -> None:
    result = _evaluate(run, Mirror())
    scores, real = result["scores"], result["real"]
    for name in ("fid", "precision", "recall", "density", "coverage", "agreement", "copies"):
        assert scores[name] == pytest.approx(real[name]), name
    assert scores["diversity"] == 0
    assert [text.partition(":")[0] for text in result["warnings"]] == ["z is ignored"]


def test_a_copyist_is_diverse_but_deaf_and_copies(run: Path) -> None:
    result = _evaluate(run, Copyist(Digits(image_size=16).load("train")))
    assert result["scores"]["copies"] > 0.95
    assert result["scores"]["agreement"] == pytest.approx(0.1, abs=0.05)
    # Any digit at all, where the real ones are of one class.
    assert result["scores"]["diversity"] > 1.2
    assert result["real"]["diversity"] == pytest.approx(1, abs=0.1)
    assert [text.partition(":")[0] for text in result["warnings"]] == [
        "the condition is ignored",
        "copies of training images",
    ]


def test_an_unconditional_model_that_never_draws_a_3_or_an_8_is_told(run: Path) -> None:
    data = Digits(image_size=16).load("train")
    kept = (data.labels != 3) & (data.labels != 8)
    result = _evaluate(
        run, unconditional(replace(data, pixels=data.pixels[kept], labels=data.labels[kept]))
    )
    assert "agreement" not in result["scores"]
    assert not PROBED & result["scores"].keys()
    assert result["scores"]["diversity"] == pytest.approx(1, abs=0.1)
    assert "digits missing: 3, 8" in result["warnings"]
    assert result["per_class"]["3"]["scores"]["share"] < 0.025


def _evaluate(run: Path, model: Model) -> dict[str, Any]:
    """The scores of another model in place of the one that was trained."""
    trained = model_file.read(run / "model.safetensors", CPU)
    config = trained.metadata.config.model_copy(update={"condition": model.condition})
    trained = replace(trained, metadata=replace(trained.metadata, config=config), model=model)
    return evaluate(trained, Question(seeds=1), CPU, Recorder())
