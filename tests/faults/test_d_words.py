"""Hostile text in models and runs: shown as text, and never used as a path or command."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from genctl.data.digits import Digits
from genctl.data.pictures import tensor_to_pil
from tests.conftest import Completed, RunGenctl
from tests.faults.refusal import commands, contents, refuse
from tests.support.forge import rewritten

HOSTILE = ("../../../x", "/etc/passwd", "a\nb", "\x1b[31mred\x1b[2J", "x" * 1_000_000,
           "\u202egnp.exe", "аdmin", "", ".", "..")  # fmt: skip


@pytest.fixture
def hostile(untrained_model: Path, tmp_path: Path) -> Path:
    """A model whose ten classes have hostile names."""

    def rename(found: dict[str, torch.Tensor], metadata: dict[str, Any]) -> None:
        metadata["classes"] = list(HOSTILE)

    return rewritten(untrained_model, tmp_path / "hostile.safetensors", rename)


def require_safe_output(done: Completed) -> None:
    """Require short output without control characters."""
    assert all(line.isprintable() for line in (done.err + done.out).splitlines())
    assert len(done.err) < 10_000


@pytest.mark.fault("D9")
def test_class_names_are_shown_as_text_and_never_used_as_paths(
    genctl: RunGenctl, hostile: Path, tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    before = contents(tmp_path)
    done = genctl(
        "sample", "--run", hostile, "--n", 10, "--format", "png", "--out", "here/pictures"
    )
    assert done.code == 0
    require_safe_output(done)
    written = set(contents(tmp_path)) - set(before)
    assert {path.relative_to(tmp_path / "here/pictures").name for path in written} == {
        f"{number:06d}.png" for number in range(10)
    }
    for name in HOSTILE:
        unknown = genctl("sample", "--run", hostile, "--condition", f"label:{name[:80]}?")
        assert unknown.code == 2
        require_safe_output(unknown)
        known = genctl("sample", "--run", hostile, "--condition", f"label:{name[:80]}", "--n", 1,
                       "--out", "here/one.npz")  # fmt: skip
        assert known.code == (0 if len(name) < 80 else 2)
        require_safe_output(known)
    assert set(contents(tmp_path)) - set(before) - written == {tmp_path / "here" / "one.npz"}


@pytest.mark.fault("D9")
def test_a_class_named_like_a_folder_is_not_looked_up_there(
    genctl: RunGenctl, hostile: Path, tmp_path: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "x").mkdir()
    for place in ("pictures/one.png", "x/two.png", "three.png"):
        tensor_to_pil(Digits(image_size=16).load("test").pixels[0]).save(tmp_path / place)
    done = genctl("encode", "pictures", "--run", hostile, "--out", "codes.jsonl", "--quiet")
    assert done.code == 0
    (line,) = (tmp_path / "codes.jsonl").read_text().splitlines()
    assert json.loads(line)["path"] == "pictures/one.png"
    assert "label" not in json.loads(line)


@pytest.mark.fault("D9")
def test_nothing_is_downloaded_into_a_folder_named_by_a_model(
    genctl: RunGenctl, untrained_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setenv("GENCTL_DATA", str(tmp_path / "mine"))

    def move(found: dict[str, torch.Tensor], metadata: dict[str, Any]) -> None:
        metadata["config"]["data"] |= {"kind": "kmnist", "root": str(tmp_path / "theirs")}

    path = rewritten(untrained_model, tmp_path / "moved.safetensors", move)
    done = genctl("evaluate", "--run", path, "--quiet")
    assert done.code == 69
    assert str(tmp_path / "mine") in done.err
    assert not (tmp_path / "theirs").exists()


@pytest.mark.fault("D9")
@pytest.mark.parametrize("name", ["\x1b[31m", "mоdel.networks", "../../x", "y" * 500_000])
def test_tensor_names_are_shown_as_text(
    name: str, genctl: RunGenctl, untrained_model: Path, tmp_path: Path
) -> None:
    def add(found: dict[str, torch.Tensor], metadata: dict[str, Any]) -> None:
        found[name] = torch.zeros(1)

    path = rewritten(untrained_model, tmp_path / "changed.safetensors", add)
    refuse(genctl, commands(path)[0], "which is not part of a model")


@pytest.mark.fault("D9")
@pytest.mark.parametrize(
    "metadata", ['{"kind": "\\u001b[2J"}', '{"kind": "' + "k" * 3_000_000 + '"}']
)
def test_metadata_are_shown_as_text(
    metadata: str, genctl: RunGenctl, untrained_model: Path, tmp_path: Path
) -> None:
    def replace(found: dict[str, torch.Tensor], old: dict[str, Any]) -> None:
        old.clear()
        old |= json.loads(metadata)

    path = rewritten(untrained_model, tmp_path / "changed.safetensors", replace)
    refuse(genctl, commands(path)[0], "not a model")


@pytest.mark.fault("D9")
def test_a_hostile_run_directory_is_listed_without_harm(
    genctl: RunGenctl, tiny_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "runs" / "theirs"
    shutil.copytree(tiny_run, run)
    odd = '{"status": ["complete"], "images": "many", "max_time": {}, "seconds": null}'
    (run / "result.json").write_text(odd)
    (run / "environment.json").write_text("[" * 100_000)
    with (run / "metrics.jsonl").open("a") as metrics:
        metrics.write('{"images": "x"}\n[1]\n{"images": 1, "terms": 7}\n' + "[" * 100_000 + "\n")
        metrics.write('{"images": 6400, "scores": {"\\u001b[31m": "\\u001b[2J"}}\n')
    listed = genctl("runs")
    assert listed.code == 0
    require_safe_output(listed)
    done = genctl("train", "--config", "tiny", "--name", "theirs", "--quiet", "--json")
    assert done.code == 0, done.err
    assert done.json["status"] == "complete"
