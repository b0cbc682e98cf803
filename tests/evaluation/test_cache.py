"""A judge is trained once, kept, and never trusted when it was changed."""

import threading
from pathlib import Path

import pytest
import torch

from genctl.common import tensors
from genctl.common.errors import CannotCreate, UsageError
from genctl.data.base import Images
from genctl.evaluation import cache, lessons
from genctl.evaluation.cache import judge_of
from genctl.evaluation.judge import Judge, JudgeNetwork
from tests.support.recorder import Recorder

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENCTL_CACHE", str(tmp_path))
    monkeypatch.setattr(lessons, "MIN_LOOKS", 500)


def test_a_judge_is_trained_once_and_read_after_that(tmp_path: Path) -> None:
    first, again = Recorder(), Recorder()
    made = _judge(first)
    kept = _judge(again)
    assert first.said
    assert first.done["training the judge"] == 1.0
    assert (again.said, again.done, again.warned) == ([], {}, [])
    assert kept.digest == made.digest
    assert kept.look(_images().pixels).features.equal(made.look(_images().pixels).features)
    assert len(list((tmp_path / "judges").glob("*.safetensors"))) == 1


def test_other_images_have_another_judge() -> None:
    assert _judge().digest != judge_of(_images(seed=5), _images(seed=1), CPU, Recorder()).digest


def test_a_judge_made_anew_is_the_same_whatever_was_drawn_before(tmp_path: Path) -> None:
    torch.manual_seed(1)
    first = _judge()
    _file(tmp_path).unlink()
    torch.manual_seed(2)
    assert _judge().digest == first.digest


@pytest.mark.parametrize("damage", ["cut", "flipped", "foreign"])
def test_a_damaged_judge_is_trained_again_with_a_warning(tmp_path: Path, damage: str) -> None:
    made = _judge()
    path = _file(tmp_path)
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    else:
        tensors.write(path, {"weight": torch.zeros(1)}, {"kind": "judge", "version": 1})
    reporter = Recorder()
    assert _judge(reporter).digest == made.digest
    (warning,) = reporter.warned
    assert str(path) in warning
    assert warning.endswith("training the judge again")
    whole = Recorder()
    _judge(whole)
    assert (whole.said, whole.warned) == ([], [])


def test_a_judge_of_an_older_kind_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _judge()
    monkeypatch.setattr(cache, "VERSION", cache.VERSION + 1)
    reporter = Recorder()
    assert _judge(reporter).version == cache.VERSION
    assert reporter.warned == []
    assert len(list((tmp_path / "judges").glob("*.safetensors"))) == 2


def test_two_who_want_the_same_judge_train_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    started, waiting = threading.Event(), threading.Event()
    teach, taught = lessons.teach, []

    def slow(*arguments: object) -> JudgeNetwork:
        taught.append(arguments)
        started.set()
        assert waiting.wait(30)
        return teach(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(lessons, "teach", slow)
    found: list[Judge] = []
    first = threading.Thread(target=lambda: found.append(_judge()))
    first.start()
    assert started.wait(30)

    class Second(Recorder):
        def info(self, text: str) -> None:
            assert text == "waiting for another process that trains the judge"
            waiting.set()

    found.append(_judge(Second()))
    first.join()
    assert len(taught) == 1
    assert found[0].digest == found[1].digest


def test_images_without_classes_have_no_judge() -> None:
    nameless = Images(_images().pixels, torch.zeros(60, dtype=torch.int64), ())
    with pytest.raises(UsageError, match="have no classes; put them into one folder for each"):
        judge_of(nameless, nameless, CPU, Recorder())


def test_a_cache_that_cannot_be_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GENCTL_CACHE", str(tmp_path / "file"))
    with pytest.raises(CannotCreate, match="GENCTL_CACHE"):
        _judge()


def _judge(reporter: Recorder | None = None) -> Judge:
    return judge_of(_images(), _images(seed=1), CPU, reporter or Recorder())


def _images(seed: int = 0) -> Images:
    """Dark and bright noise, 8x8."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(60) % 2
    pixels = (
        torch.randint(0, 128, (60, 1, 8, 8), generator=random) + 127 * labels[:, None, None, None]
    )
    return Images(pixels.byte(), labels, ("dark", "bright"))


def _file(root: Path) -> Path:
    (path,) = (root / "judges").glob("*.safetensors")
    return path
