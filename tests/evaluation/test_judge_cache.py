"""A judge is trained once, kept, and not used if its file was changed."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from genctl.common import tensors
from genctl.common.errors import CannotCreate
from genctl.common.reporting import OnProgress
from genctl.data.base import Images
from genctl.evaluation import judge_cache, judge_training
from genctl.evaluation.judge import Judge, JudgeNetwork
from genctl.evaluation.judge_cache import load_judge
from tests.support.quick_judges import quick_judges
from tests.support.recorder import Recorder

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path) -> Iterator[Path]:
    with quick_judges(tmp_path, 500):
        yield tmp_path / "judges"


def load(reporter: Recorder | None = None) -> Judge:
    return load_judge(noise(), noise(seed=1), CPU, reporter or Recorder())


def noise(seed: int = 0) -> Images:
    """Dark and bright 8x8 images."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.arange(60) % 2
    dark = torch.randint(0, 128, (60, 1, 8, 8), generator=rng)
    pixels = dark + 127 * labels[:, None, None, None]
    return Images(pixels.byte(), labels, ("dark", "bright"))


def only_file(cache: Path) -> Path:
    (path,) = cache.glob("*.safetensors")
    return path


def test_judge_is_trained_once_and_read_after_that(cache: Path) -> None:
    first, second = Recorder(), Recorder()
    trained, read = load(first), load(second)
    assert first.messages
    assert first.shares["training the judge"] == 1.0
    assert (second.messages, second.shares, second.warnings) == ([], {}, [])
    assert read.digest == trained.digest
    pixels = noise().pixels
    assert read.classify(pixels).features.equal(trained.classify(pixels).features)
    assert only_file(cache)


def test_other_images_have_another_judge() -> None:
    assert load().digest != load_judge(noise(seed=5), noise(seed=1), CPU, Recorder()).digest


def test_judge_does_not_depend_on_the_global_random_state(cache: Path) -> None:
    torch.manual_seed(1)
    first = load()
    only_file(cache).unlink()
    torch.manual_seed(2)
    assert load().digest == first.digest


@pytest.mark.parametrize("damage", ["truncated", "flipped", "foreign"])
def test_damaged_judge_is_trained_again_with_a_warning(cache: Path, damage: str) -> None:
    original = load()
    path = only_file(cache)
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    else:
        tensors.write(path, {"weight": torch.zeros(1)}, {"kind": "judge", "version": 1})
    reporter = Recorder()
    assert load(reporter).digest == original.digest
    (warning,) = reporter.warnings
    assert str(path) in warning
    assert warning.endswith("training the judge again")
    repaired = Recorder()
    load(repaired)
    assert (repaired.messages, repaired.warnings) == ([], [])


def test_judges_of_older_versions_are_neither_read_nor_removed(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load()
    monkeypatch.setattr(judge_cache, "VERSION", judge_cache.VERSION + 1)
    reporter = Recorder()
    assert load(reporter).version == judge_cache.VERSION
    assert reporter.warnings == []
    assert len(list(cache.glob("*.safetensors"))) == 2


def test_judge_that_two_need_at_once_is_trained_once(monkeypatch: pytest.MonkeyPatch) -> None:
    started, waiting = threading.Event(), threading.Event()
    train, trainings = judge_training.train_classifier, []

    def slow(images: Images, device: torch.device, on_progress: OnProgress) -> JudgeNetwork:
        trainings.append(images)
        started.set()
        assert waiting.wait(30)
        return train(images, device, on_progress)

    monkeypatch.setattr(judge_training, "train_classifier", slow)
    judges: list[Judge] = []
    first = threading.Thread(target=lambda: judges.append(load()))
    first.start()
    assert started.wait(30)

    class Second(Recorder):
        def info(self, text: str) -> None:
            assert text == "waiting for another process to train the judge"
            waiting.set()

    judges.append(load(Second()))
    first.join()
    assert len(trainings) == 1
    assert judges[0].digest == judges[1].digest


def path_of(images: Images) -> Path:
    return judge_cache._judge_path(images, images.digest())


@pytest.mark.parametrize("classes", [(), ("one",)])
def test_images_without_classes_have_a_judge_of_their_own(classes: tuple[str, ...]) -> None:
    unlabelled = Images(noise().pixels, torch.zeros(60, dtype=torch.int64), classes)
    judge, again = (load_judge(unlabelled, unlabelled, CPU, Recorder()) for _ in range(2))
    assert judge.features == "self-supervised"
    assert "without labels" in judge.describe(60)
    assert judge.accuracy > 0.5  # by chance a sixtieth
    assert judge.digest == again.digest
    output = judge.classify(unlabelled.pixels)
    assert output.labels.tolist() == [0] * 60
    assert output.features.equal(again.classify(unlabelled.pixels).features)
    assert path_of(unlabelled).exists()
    assert "self-supervised" in path_of(unlabelled).name
    assert path_of(noise()) != path_of(unlabelled)


def test_a_judge_of_another_kind_is_not_used() -> None:
    """Scores in the features of one must never pass for those of the other."""
    unlabelled = Images(noise().pixels, torch.zeros(60, dtype=torch.int64), ())
    first = load_judge(unlabelled, unlabelled, CPU, Recorder())
    path = path_of(unlabelled)
    content, metadata, _ = tensors.read(path, "judge")
    del metadata["features"]
    tensors.write(path, content, metadata)
    reporter = Recorder()
    assert load_judge(unlabelled, unlabelled, CPU, reporter).digest == first.digest
    assert "a judge of another kind; training the judge again" in reporter.warnings[0]


def test_error_about_the_cache_names_the_variable_that_moves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GENCTL_CACHE", str(tmp_path / "file"))
    with pytest.raises(CannotCreate, match="GENCTL_CACHE"):
        load()
