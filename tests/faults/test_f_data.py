"""Data sets that are damaged on disk, and mirrors that fail: trained on right, or not at all."""

import hashlib
import multiprocessing
import os
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision import datasets

from genctl.common.files import PREFIX
from genctl.data.torchvision_sets import Kmnist, Mnist
from tests.conftest import Completed
from tests.faults.mirror import NAMES, Mirrors, idx, mirrors, small_set
from tests.faults.refusal import changed, contents, require_line
from tests.support.processes import SETTINGS, differing_parts, outcome, run_forked


def train(folder: Path, kind: str) -> Completed:
    """Train a short run on a data set that lies, or will lie, in ``folder / data``."""
    settings = (*SETTINGS, "training.images=64", f"data.kind={kind}", "data.root=data")
    sets = [word for setting in settings for word in ("--set", setting)]
    return run_forked(folder, ["train", "--config", "tiny", "--name", "run", "--quiet", *sets])


# -- F3: damaged files ----------------------------------------------------------------------------


@pytest.fixture
def mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of four files that pass for MNIST's here."""
    content = small_set()
    sums = {name: hashlib.md5(found).hexdigest() for name, found in content.items()}
    monkeypatch.setattr(Mnist, "checksums", sums)
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, found in content.items():
        (raw / name).write_bytes(found)
    return raw


def damages(content: bytes) -> dict[str, bytes]:
    return {
        "a flipped bit": content[:-5] + bytes([content[-5] ^ 1]) + content[-4:],
        "cut": content[:-1],
        "grown": content + b"\0",
        "another magic": content[:2] + b"\x09" + content[3:],
        "another count": content[:7] + b"\x09" + content[8:],
        "empty": b"",
    }


@pytest.mark.fault("F3")
@pytest.mark.parametrize("name", NAMES)
def test_no_run_trains_on_a_damaged_file(name: str, mnist: Path, tmp_path: Path) -> None:
    whole = (mnist / name).read_bytes()
    for content in damages(whole).values():
        (mnist / name).write_bytes(content)
        before = contents(tmp_path / "data")
        done = train(tmp_path, "mnist")
        assert (done.code, done.out) == (65, ""), done.err
        require_line(done, f"cannot use data/MNIST/raw/{name}: its MD5 is ")
        assert changed(before, tmp_path / "data") == []
        assert not list((tmp_path / "runs").rglob("*.safetensors"))
    (mnist / name).write_bytes(whole)
    assert train(tmp_path, "mnist").code == 0
    (tmp_path / "other").mkdir()
    (tmp_path / "data").rename(tmp_path / "other" / "data")
    assert train(tmp_path / "other", "mnist").code == 0
    one, other = (outcome(folder / "runs" / "run") for folder in (tmp_path, tmp_path / "other"))
    assert differing_parts(one, other) == []


def nonsense() -> dict[str, dict[str, bytes]]:
    """Files of kin, which have no checksums, that contradict themselves or each other."""
    labels = np.arange(80, dtype=np.uint8) % 10
    images = idx(np.zeros((80, 28, 28), np.uint8))
    empty = {NAMES[0]: idx(np.zeros((0, 28, 28), np.uint8)), NAMES[1]: idx(labels[:0])}
    return {
        "fewer labels": {NAMES[1]: idx(labels[:-1])},
        "fewer images": {NAMES[0]: idx(np.zeros((79, 28, 28), np.uint8))},
        "a label that is no class": {NAMES[1]: idx(np.full(80, 10, np.uint8))},
        "no images": empty,
        "cut images": {NAMES[0]: images[:-1]},
        "cut labels": {NAMES[1]: idx(labels)[:-1]},
        "images for labels": {NAMES[1]: images},
        "a huge count": {NAMES[0]: images[:4] + b"\xff" * 4 + images[8:]},
    }


@pytest.mark.fault("F3")
@pytest.mark.parametrize("what", nonsense())
def test_no_run_trains_on_files_that_make_no_sense(what: str, tmp_path: Path) -> None:
    raw = tmp_path / "data" / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in (small_set() | nonsense()[what]).items():
        (raw / name).write_bytes(content)
    before = contents(tmp_path / "data")
    done = train(tmp_path, "kmnist")
    assert done.code == 65, done.err
    require_line(done, "kmnist in data: ")
    assert changed(before, tmp_path / "data") == []
    for name, content in small_set().items():
        (raw / name).write_bytes(content)
    assert train(tmp_path, "kmnist").code == 0


@pytest.mark.fault("F3")
def test_pickles_that_old_torchvisions_left_are_not_taken_for_the_data(tmp_path: Path) -> None:
    (tmp_path / "KMNIST" / "processed").mkdir(parents=True)
    raw = tmp_path / "KMNIST" / "raw"
    raw.mkdir()
    for name in ("training.pt", "test.pt"):
        pair = (torch.zeros(5, 28, 28, dtype=torch.uint8), torch.zeros(5, dtype=torch.long))
        torch.save(pair, tmp_path / "KMNIST" / "processed" / name)
    for name, content in small_set().items():
        (raw / name).write_bytes(content)
    assert len(Kmnist(root=str(tmp_path)).load("train")) == 80


# -- F4: downloads --------------------------------------------------------------------------------


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirrors]:
    with mirrors(small_set(), monkeypatch) as found:
        yield found


def litter(folder: Path) -> list[Path]:
    """What no finished download leaves."""
    return [path for path in folder.rglob("*") if path.suffix == ".gz" or PREFIX in path.name]


@pytest.mark.fault("F4")
@pytest.mark.parametrize("manner", ["good", "403", "404", "wrong", "cut", "hang"])
def test_a_mirror_that_fails_is_left_for_the_next(
    manner: str, served: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [served.url(manner), served.url("good")]
    monkeypatch.setattr(datasets.KMNIST, "mirrors", both)
    done = train(tmp_path, "kmnist")
    assert done.code == 0, done.err
    raw = tmp_path / "data" / "KMNIST" / "raw"
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == small_set()
    assert litter(tmp_path / "data") == []
    asked = served.asked.copy()
    (tmp_path / "second").mkdir()
    (tmp_path / "data").rename(tmp_path / "second" / "data")
    assert train(tmp_path / "second", "kmnist").code == 0
    assert served.asked == asked, "what is there is not asked for again"


@pytest.mark.fault("F4")
@pytest.mark.parametrize("manner", ["403", "404", "wrong", "cut", "hang"])
def test_where_every_mirror_fails_the_way_by_hand_is_told(
    manner: str, served: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.KMNIST, "mirrors", [served.url(manner)])
    done = train(tmp_path, "kmnist")
    assert done.code == 69, done.err
    line = done.err.splitlines()[-1]
    assert "genctl: error: cannot download kmnist: " in line
    assert "put torchvision's files of KMNIST into data" in line
    assert "digits_cgan" in line
    assert [path.name for path in (tmp_path / "data").iterdir()] == [".genctl-download.lock"]
    monkeypatch.setattr(datasets.KMNIST, "mirrors", [served.url("good")])
    assert train(tmp_path, "kmnist").code == 0


@pytest.mark.fault("F4")
def test_what_was_downloaded_is_checked_ever_after(served: Mirrors, tmp_path: Path) -> None:
    assert train(tmp_path, "kmnist").code == 0
    path = tmp_path / "data" / "KMNIST" / "raw" / NAMES[0]
    content = path.read_bytes()
    path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    done = train(tmp_path / "second", "kmnist")
    assert done.code == 0  # another folder, another download
    done = run_forked(tmp_path, ["train", "--config", "tiny", "--name", "new", "--quiet",
                             "--set", "data.kind=kmnist", "--set", "data.root=data"])  # fmt: skip
    assert done.code == 65
    require_line(done, "it has changed since it was downloaded")
    path.unlink()
    assert Kmnist(root=str(tmp_path / "data")).load("train").digest() == (
        Kmnist(root=str(tmp_path / "second" / "data")).load("train").digest()
    )
    assert path.read_bytes() == content


def load(root: Path) -> None:
    """What a process does that is started alone."""
    os.close(1)
    os.close(2)
    os.open(os.devnull, os.O_WRONLY)
    os.open(os.devnull, os.O_WRONLY)
    assert len(Kmnist(root=str(root)).load("train")) == 80


def started(root: Path) -> Any:
    process = multiprocessing.get_context("fork").Process(target=load, args=(root,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fork of a process with threads, which are idle
        process.start()
    return process


@pytest.mark.fault("F4")
def test_four_first_runs_at_once_download_once(served: Mirrors, tmp_path: Path) -> None:
    load_alone = started(tmp_path / "alone")
    load_alone.join()
    alone = served.asked.copy()
    served.asked.clear()
    four = [started(tmp_path / "data") for _ in range(4)]
    for process in four:
        process.join()
    assert [process.exitcode for process in [load_alone, *four]] == [0] * 5
    assert served.asked == alone
    assert litter(tmp_path / "data") == []


@pytest.mark.fault("F4")
def test_a_download_that_is_killed_leaves_nothing_that_passes_for_data(
    served: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.KMNIST, "mirrors", [served.url("slow")])
    process = started(tmp_path / "data")
    assert served.begun.wait(60)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not (tmp_path / "data" / "KMNIST").exists()
    assert litter(tmp_path / "data") != []
    monkeypatch.setattr(datasets.KMNIST, "mirrors", [served.url("good")])
    assert train(tmp_path, "kmnist").code == 0
    assert litter(tmp_path / "data") == []
