"""Data sets with damaged files, and mirrors that fail."""

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
    """Train a short run on a data set in ``folder / data``, which may have to be downloaded."""
    settings = (*SETTINGS, "training.images=64", f"data.kind={kind}", "data.root=data")
    sets = [word for setting in settings for word in ("--set", setting)]
    return run_forked(folder, ["train", "--config", "tiny", "--name", "run", "--quiet", *sets])


# -- F3: damaged files ----------------------------------------------------------------------------


@pytest.fixture
def mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of four small files, with MNIST's checksums replaced by theirs."""
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


def inconsistent_files() -> dict[str, dict[str, bytes]]:
    """Files of a data set without checksums that contradict themselves or each other."""
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
@pytest.mark.parametrize("what", inconsistent_files())
def test_no_run_trains_on_inconsistent_files(what: str, tmp_path: Path) -> None:
    raw = tmp_path / "data" / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in (small_set() | inconsistent_files()[what]).items():
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
def test_pickles_of_old_versions_of_torchvision_are_ignored(tmp_path: Path) -> None:
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


def leftovers(folder: Path) -> list[Path]:
    """Archives and unfinished files."""
    return [path for path in folder.rglob("*") if path.suffix == ".gz" or PREFIX in path.name]


@pytest.mark.fault("F4")
@pytest.mark.parametrize("behaviour", ["good", "403", "404", "wrong", "cut", "hang"])
def test_when_a_mirror_fails_the_next_is_tried(
    behaviour: str, served: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [served.url(behaviour), served.url("good")]
    monkeypatch.setattr(datasets.KMNIST, "mirrors", both)
    done = train(tmp_path, "kmnist")
    assert done.code == 0, done.err
    raw = tmp_path / "data" / "KMNIST" / "raw"
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == small_set()
    assert leftovers(tmp_path / "data") == []
    requests = served.requests.copy()
    (tmp_path / "second").mkdir()
    (tmp_path / "data").rename(tmp_path / "second" / "data")
    assert train(tmp_path / "second", "kmnist").code == 0
    assert served.requests == requests, "downloaded twice"


@pytest.mark.fault("F4")
@pytest.mark.parametrize("behaviour", ["403", "404", "wrong", "cut", "hang"])
def test_when_every_mirror_fails_the_message_says_what_to_do_by_hand(
    behaviour: str, served: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.KMNIST, "mirrors", [served.url(behaviour)])
    done = train(tmp_path, "kmnist")
    assert done.code == 69, done.err
    line = done.err.splitlines()[-1]
    assert "genctl: error: cannot download kmnist: " in line
    assert "put torchvision's files of KMNIST into data" in line
    assert "digits_cgan" in line
    assert [path.name for path in (tmp_path / "data").iterdir()] == [".genctl-download.lock"]
    monkeypatch.setattr(datasets.KMNIST, "mirrors", [served.url("good")])
    assert train(tmp_path, "kmnist").code == 0


def load(root: Path) -> None:
    """Load the data set in a process of its own, without output."""
    os.close(1)
    os.close(2)
    os.open(os.devnull, os.O_WRONLY)
    os.open(os.devnull, os.O_WRONLY)
    assert len(Kmnist(root=str(root)).load("train")) == 80


def start_loading(root: Path) -> Any:
    process = multiprocessing.get_context("fork").Process(target=load, args=(root,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about forking a process with threads; they are idle
        process.start()
    return process


@pytest.mark.fault("F4")
def test_four_first_runs_at_the_same_time_download_once(served: Mirrors, tmp_path: Path) -> None:
    one = start_loading(tmp_path / "one")
    one.join()
    requests = served.requests.copy()
    served.requests.clear()
    four = [start_loading(tmp_path / "data") for _ in range(4)]
    for process in four:
        process.join()
    assert [process.exitcode for process in [one, *four]] == [0] * 5
    assert served.requests == requests
    assert leftovers(tmp_path / "data") == []


@pytest.mark.fault("F4")
def test_a_killed_download_leaves_nothing_that_could_be_taken_for_data(
    served: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.KMNIST, "mirrors", [served.url("slow")])
    process = start_loading(tmp_path / "data")
    assert served.started.wait(60)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not (tmp_path / "data" / "KMNIST").exists()
    assert leftovers(tmp_path / "data") != []
    monkeypatch.setattr(datasets.KMNIST, "mirrors", [served.url("good")])
    assert train(tmp_path, "kmnist").code == 0
    assert leftovers(tmp_path / "data") == []
