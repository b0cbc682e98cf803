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
from genctl.evaluation.evaluate import EvaluationOptions, evaluate_model
from genctl.model import Model
from genctl.runs import model_file
from tests.conftest import RunGenctl
from tests.support.fake_models import CopyingModel, IdentityModel, unconditional
from tests.support.quick_judges import quick_judges
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
    """A cache for the judges of all tests."""
    with quick_judges(tmp_path_factory.mktemp("cache")):
        yield


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of the tiny run that tests may write to."""
    copy = tmp_path / "runs" / "tiny"
    copy.mkdir(parents=True)
    for name in ("config.yaml", "model.safetensors"):
        shutil.copy(tiny_run / name, copy / name)
    return copy


# -- the command ----------------------------------------------------------------------------------


def test_run_is_scored_next_to_real_images(genctl: RunGenctl, run: Path) -> None:
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


def test_without_json_stdout_is_the_table(genctl: RunGenctl, run: Path) -> None:
    done = genctl("evaluate", "--run", "tiny", "--seeds", 1, "--n", 100, "--quiet")
    lines = done.out.splitlines()
    assert lines[0] == "runs/tiny: 100 samples against train images"
    assert lines[1].split() == ["score", "model", "±", "std", "real", "images"]
    assert [line.split("  ")[0] for line in lines[2:]] == [
        "fid", "precision", "recall", "density", "coverage", "agreement", "diversity", "copies",
        "linear probe", "nearest neighbours",
    ]  # fmt: skip
    assert "training" not in done.err


def test_model_file_without_a_run_is_scored_and_nothing_is_written(
    genctl: RunGenctl, run: Path, tmp_path: Path
) -> None:
    shutil.copy(run / "model.safetensors", tmp_path / "alone.safetensors")
    done = genctl("evaluate", "--run", "alone.safetensors", "--seeds", 1, "--n", 50, "--json")
    assert done.json["run"] == "alone.safetensors"
    assert not list(tmp_path.glob("evaluation.json"))


def test_samples_can_be_compared_with_test_images(genctl: RunGenctl, run: Path) -> None:
    arguments = ("evaluate", "--seeds", 1, "--n", 60, "--json", "--quiet", "--against")
    test, train = (genctl(*arguments, split).json for split in ("test", "train"))
    assert test["against"] == "test"
    assert test["scores"]["fid"] != train["scores"]["fid"]
    assert test["scores"]["agreement"] == train["scores"]["agreement"]


def test_more_samples_than_test_images_give_a_warning(genctl: RunGenctl, run: Path) -> None:
    done = genctl("evaluate", "--seeds", 1, "--n", 301, "--json", "--quiet")
    assert done.json["n"] == 301
    assert "only 300 real test images are available for 301 samples, so FID is biased" in done.err


def test_cas_is_that_of_a_classifier_trained_on_samples(genctl: RunGenctl, run: Path) -> None:
    result = genctl("evaluate", "--seeds", 1, "--n", 50, "--cas", "--json", "--quiet").json
    assert 0.2 < result["scores"]["cas"] <= result["real"]["cas"] == result["judge"]["accuracy"]


def test_missing_inception_weights_are_named_with_their_place(
    genctl: RunGenctl, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    done = genctl("evaluate", "--features", "inception")
    assert done.code == 69
    weights = tmp_path / "hub" / "hub" / "checkpoints" / "inception_v3_google-0cc3c7bd.pth"
    assert f"cannot find {weights}" in done.err


def test_inception_weights_that_hold_other_objects_are_refused(
    genctl: RunGenctl, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "hub" / "checkpoints" / "inception_v3_google-0cc3c7bd.pth"
    path.parent.mkdir(parents=True)
    torch.save({"weight": Path("anything but a tensor")}, path)
    assert genctl("evaluate", "--features", "inception").code == 65


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--n", "5"], 2, "--n 5: 5 nearest neighbours need at least 6"),
        (["--run", "nothing"], 66, "cannot find the run nothing"),
        (["--device", "tpu"], 2, "--device tpu: not a device"),
        (["--against", "valid"], 2, "--against"),
    ],
)
def test_wrong_options_are_refused(
    genctl: RunGenctl, run: Path, arguments: list[str], code: int, message: str
) -> None:
    done = genctl("evaluate", *arguments)
    assert done.code == code
    assert message in done.err


@pytest.mark.parametrize("kind", ["label", "none"])
def test_models_of_other_conditions_are_scored(genctl: RunGenctl, kind: str) -> None:
    short = ("--set", "training.images=64", "--set", f"condition.kind={kind}", "--quiet")
    assert genctl("train", "--config", "tiny", "--name", kind, *short).code == 0
    scores = genctl("evaluate", "--n", 60, "--seeds", 1, "--json", "--quiet").json["scores"]
    assert scores.keys() == (COMPARED if kind == "label" else COMPARED - {"agreement"})
    with_cas = genctl("evaluate", "--n", 60, "--seeds", 1, "--cas", "--json", "--quiet")
    assert with_cas.code == (0 if kind == "label" else 2)
    assert ("is unconditional" in with_cas.err) == (kind == "none")


@pytest.mark.parametrize("condition", ["none", "image"])
def test_data_without_classes_is_judged_without_labels(
    condition: str, genctl: RunGenctl, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(100):
        Image.effect_noise((16, 16), 2 * number).save(folder / f"{number}.png")
    settings = ["data.kind=folder", f"data.root={folder}", "data.image_size=16"]
    settings += ["training.images=64", f"condition.kind={condition}"]
    settings += ["data.test_fraction=0.3", *["condition.pairing=instance"] * (condition == "image")]
    sets = [word for setting in settings for word in ("--set", setting)]
    assert genctl("train", "--config", "tiny", "--name", "unlabelled", *sets, "--quiet").code == 0
    done = genctl("evaluate", "--json", "--seeds", 1)
    result = done.json
    assert done.code == 0
    assert "judge: features learned without labels" in done.err
    assert result["features"] == "self-supervised"
    assert result["scores"].keys() == COMPARED - {"agreement"}
    assert result["per_class"] == {}
    assert "z is ignored" not in done.err
    with_cas = genctl("evaluate", "--cas", "--quiet")
    assert with_cas.code == 2
    assert "has no classes; leave it out" in with_cas.err


# -- models whose scores are known ----------------------------------------------------------------


def scores_of(run: Path, model: Model) -> dict[str, Any]:
    """The result for ``model`` in place of the run's own."""
    trained = model_file.read(run / "model.safetensors", CPU)
    config = trained.metadata.config.model_copy(update={"condition": model.condition})
    trained = replace(trained, metadata=replace(trained.metadata, config=config), model=model)
    return evaluate_model(trained, EvaluationOptions(seeds=1), CPU, Recorder())


def test_model_that_returns_its_conditions_scores_like_real_images_without_diversity(
    run: Path,
) -> None:
    result = scores_of(run, IdentityModel())
    scores, real = result["scores"], result["real"]
    for name in ("fid", "precision", "recall", "density", "coverage", "agreement", "copies"):
        assert scores[name] == pytest.approx(real[name]), name
    assert scores["diversity"] == 0
    assert [text.partition(":")[0] for text in result["warnings"]] == ["z is ignored"]


def test_copies_of_random_training_images_are_diverse_and_ignore_the_condition(run: Path) -> None:
    result = scores_of(run, CopyingModel(Digits(image_size=16).load("train")))
    assert result["scores"]["copies"] > 0.95
    assert result["scores"]["agreement"] == pytest.approx(0.1, abs=0.05)
    # The samples are of all classes, the real images they are compared with of one.
    assert result["scores"]["diversity"] > 1.2
    assert result["real"]["diversity"] == pytest.approx(1, abs=0.1)
    assert [text.partition(":")[0] for text in result["warnings"]] == [
        "the condition is ignored",
        "copies of training images",
    ]


def test_missing_digits_of_an_unconditional_model_are_named(run: Path) -> None:
    images = Digits(image_size=16).load("train")
    kept = (images.labels != 3) & (images.labels != 8)
    subset = replace(images, pixels=images.pixels[kept], labels=images.labels[kept])
    result = scores_of(run, unconditional(subset))
    assert "agreement" not in result["scores"]
    assert not PROBED & result["scores"].keys()
    assert result["scores"]["diversity"] == pytest.approx(1, abs=0.1)
    assert "digits missing: 3, 8" in result["warnings"]
    assert result["per_class"]["3"]["scores"]["share"] < 0.025
