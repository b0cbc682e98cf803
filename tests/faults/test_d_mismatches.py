"""Files that are whole and signed but ask for too much, do not fit, or try to be clever."""

import io
import json
import shutil
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Finished, Run
from forge import Change, header, rewritten, with_header
from life import forked, little_memory
from models import save_model
from refusal import changed, commands, contents, refuse, require_line, still_draws
from scorecard import proves

from genctl.data.digits import Digits
from genctl.images import picture_of

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
SPARE = 200 * 2**20  # bytes that a refusal may take


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model") / "model.safetensors")


# -- D5: bombs ------------------------------------------------------------------------------------


def claimed(whole: bytes, *shape: int, end: int) -> bytes:
    """A model whose first tensor claims to have another shape, and to end far away."""
    found = header(whole)
    name = next(name for name in found if name != "__metadata__")
    found[name] |= {"shape": list(shape), "data_offsets": [0, end]}
    return with_header(whole, json.dumps(found))


def long_header(entries: int) -> bytes:
    """A header of so many tensors, none of which is there."""
    found = {
        f"t{i}": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for i in range(entries)
    }
    text = json.dumps(found).encode()
    return struct.pack("<Q", len(text)) + text + bytes(4)


def deflated() -> bytes:
    """What torch takes for 32 MiB, in a thousandth of that."""
    stored, packed = io.BytesIO(), io.BytesIO()
    torch.save(torch.zeros(2**23), stored)
    with zipfile.ZipFile(stored) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    return packed.getvalue()


def striding() -> bytes:
    """What torch takes for four tebibytes of one number."""
    buffer = io.BytesIO()
    torch.save(torch.zeros(1).expand(2**40), buffer)
    return buffer.getvalue()


BOMBS = {
    "2^40 numbers": lambda whole: claimed(whole, 2**40, end=2**42),
    "2^40 numbers of no bytes": lambda whole: claimed(whole, 2**40, end=0),
    "2^62 x 4 numbers": lambda whole: claimed(whole, 2**62, 4, end=4),
    "a header of 100 MB": lambda whole: struct.pack("<Q", 10**8) + b"{" + b" " * 10**8,
    "a header of 2^64 bytes": lambda whole: struct.pack("<Q", 2**64 - 1) + whole[8:],
    "100,000 tensors": lambda whole: long_header(100_000),
    "50,000 tensors": lambda whole: long_header(50_000),
    "a deflated pickle": lambda whole: deflated(),
    "a striding pickle": lambda whole: striding(),
}


@linux
@proves("D5", "EMNR")
@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_is_refused_in_little_memory(
    what: str, genctl: Run, whole: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bomb.safetensors"
    path.write_bytes(BOMBS[what](whole.read_bytes()))  # type: ignore[no-untyped-call]
    confined_refusal(path, tmp_path)
    still_draws(genctl, whole)


def confined_refusal(path: Path, folder: Path) -> Finished:
    """Sample from ``path`` where there is little memory, which must be refused."""
    before = contents(folder)
    done = forked(folder, ["sample", "--run", str(path), "--quiet"], little_memory(SPARE))
    assert (done.code, done.out) == (65, ""), done.err
    require_line(done, str(path))
    streams = [str(folder / "err"), str(folder / "out")]
    assert [name for name in changed(before, folder) if name not in streams] == []
    return done


HUGE: dict[str, dict[str, Any]] = {
    "a gigabyte": {"generator_widths": [4000, 4000]},
    "wide": {"generator_widths": [10**9, 10**9]},
    "wider than any tensor": {"encoder_widths": [10**18, 10**18]},
    "wider than any number": {"critic_features": 10**30, "encoder_widths": [10**30, 3]},
    "deep": {"kind": "resnet", "widths": [8, 8, 8], "blocks": 10**9},
}


@linux
@proves("D5", "EMN")
@pytest.mark.parametrize("what", HUGE)
def test_a_config_that_asks_for_huge_networks_costs_little(
    what: str, whole: Path, tmp_path: Path
) -> None:
    def enlarge(found: Any, facts: Any) -> None:
        networks = facts["config"]["networks"]
        facts["config"]["networks"] = HUGE[what] if "kind" in HUGE[what] else networks | HUGE[what]

    confined_refusal(rewritten(whole, tmp_path / "huge.safetensors", enlarge), tmp_path)


@linux
@proves("D5", "EMN")
@pytest.mark.parametrize("shape", [(2**40, 16), (2**62, 4)])
def test_a_file_of_codes_that_claims_to_be_huge_is_refused(
    shape: tuple[int, int], whole: Path, tmp_path: Path
) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_2_0(
        head, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(tmp_path / "codes.npz", "w") as archive:
        archive.writestr("codes.npy", head.getvalue() + bytes(64))
    words = ["sample", "--run", str(whole), "--condition", "codes.npz", "--quiet"]
    done = forked(tmp_path, words, little_memory(SPARE))
    assert done.code == 65
    require_line(done, "codes.npz: not a file of codes")


# -- D6: what does not fit ------------------------------------------------------------------------

CHANGES: dict[str, Change] = {
    "missing weight": lambda found, facts: found.pop("model.roles.generator.first.weight"),
    "unknown weight": lambda found, facts: found.update({"model.x": torch.zeros(1)}),
    "unknown tensor": lambda found, facts: found.update({"x": torch.zeros(1)}),
    "NaN": lambda found, facts: found["model.roles.generator.first.weight"].fill_(torch.nan),
    "NaN code": lambda found, facts: found["class_codes"].fill_(torch.nan),
    "half precision": lambda found, facts: found.update(
        {name: tensor.half() for name, tensor in found.items() if tensor.is_floating_point()}
    ),
    "8-bit codes": lambda found, facts: found.update(
        {"class_codes": found["class_codes"].to(torch.float8_e4m3fn)}
    ),
    "other shape": lambda found, facts: found.update(
        {"model.roles.generator.first.weight": torch.zeros(1)}
    ),
    "no codes": lambda found, facts: found.pop("class_codes"),
    "fewer classes": lambda found, facts: facts["classes"].pop(),
    "classes of numbers": lambda found, facts: facts.update(classes=[1, 2]),
    "no config": lambda found, facts: facts.pop("config"),
    "config of a word": lambda found, facts: facts.update(config="tiny"),
    "unknown kind": lambda found, facts: facts["config"]["networks"].update(kind="magic"),
    "unknown key": lambda found, facts: facts["config"].update(extra=1),
    "wrong widths": lambda found, facts: facts["config"]["networks"].update(generator_widths=[8]),
    "larger images": lambda found, facts: facts["config"]["data"].update(image_size=256),
    "no framing": lambda found, facts: facts.pop("framing"),
    "huge framing": lambda found, facts: facts["framing"].update(extent=1e-9),
    "odd framing": lambda found, facts: facts["framing"].update(background=1000),
}


@proves("D6", "EMNR")
@pytest.mark.parametrize("what", CHANGES)
def test_a_file_that_does_not_fit_itself_is_refused(
    what: str, genctl: Run, whole: Path, tmp_path: Path
) -> None:
    path = rewritten(whole, tmp_path / "changed.safetensors", CHANGES[what])
    for command in commands(path):
        refuse(genctl, command, str(path))
    still_draws(genctl, whole)


def without(number: int) -> Change:
    """The first tensors of the generator are missing."""

    def change(found: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
        for name in sorted(name for name in found if "generator" in name)[:number]:
            del found[name]

    return change


@proves("D6", "M")
@pytest.mark.parametrize(("missing", "named"), [(1, 1), (3, 3), (5, 3)])
def test_the_first_three_differences_are_named(
    missing: int, named: int, genctl: Run, whole: Path, tmp_path: Path
) -> None:
    path = rewritten(whole, tmp_path / "changed.safetensors", without(missing))
    done = refuse(genctl, commands(path)[0], "does not fit its own config")
    assert done.err.count(" is missing") == named


NAMED = {
    "NaN": "model.roles.generator.first.weight holds values that are not finite",
    "other shape": "roles.generator.first.weight has shape (1,), not (",
    "half precision": "is torch.float16, not torch.float32",
    "unknown weight": "x is unknown",
}


@proves("D6", "M")
@pytest.mark.parametrize("what", NAMED)
def test_what_does_not_fit_is_named(what: str, genctl: Run, whole: Path, tmp_path: Path) -> None:
    path = rewritten(whole, tmp_path / "changed.safetensors", CHANGES[what])
    refuse(genctl, commands(path)[0], NAMED[what])


@proves("D6", "EMN")
def test_a_checkpoint_is_no_model(genctl: Run, tiny_run: Path) -> None:
    path = next((tiny_run / "checkpoints").iterdir())
    for command in commands(path):
        refuse(genctl, command, "it holds a checkpoint, not a model")


# -- D9: hostile words ----------------------------------------------------------------------------

HOSTILE = ("../../../x", "/etc/passwd", "a\nb", "\x1b[31mred\x1b[2J", "x" * 1_000_000,
           "\u202egnp.exe", "аdmin", "", ".", "..")  # fmt: skip


@pytest.fixture
def hostile(whole: Path, tmp_path: Path) -> Path:
    """A model whose ten classes have names that nobody would choose."""

    def rename(found: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
        facts["classes"] = list(HOSTILE)

    return rewritten(whole, tmp_path / "hostile.safetensors", rename)


def terminal_is_safe(done: Finished) -> None:
    """Nothing that a terminal would obey, and nothing without end."""
    assert all(line.isprintable() for line in (done.err + done.out).splitlines())
    assert len(done.err) < 10_000


@proves("D9", "EMNR")
def test_words_of_a_model_are_shown_as_text_and_write_only_what_was_asked(
    genctl: Run, hostile: Path, tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    monkey = pytest.MonkeyPatch()
    before = contents(tmp_path)
    done = genctl(
        "sample", "--run", hostile, "--n", 10, "--format", "png", "--out", "here/pictures"
    )
    assert done.code == 0
    terminal_is_safe(done)
    written = set(contents(tmp_path)) - set(before)
    assert {path.relative_to(tmp_path / "here/pictures").name for path in written} == {
        f"{number:06d}.png" for number in range(10)
    }
    for name in HOSTILE:
        unknown = genctl("sample", "--run", hostile, "--condition", f"label:{name[:80]}?")
        assert unknown.code == 2
        terminal_is_safe(unknown)
        known = genctl("sample", "--run", hostile, "--condition", f"label:{name[:80]}", "--n", 1,
                       "--out", "here/one.npz")  # fmt: skip
        assert known.code == (0 if len(name) < 80 else 2)
        terminal_is_safe(known)
    assert set(contents(tmp_path)) - set(before) - written == {tmp_path / "here" / "one.npz"}
    monkey.undo()


@proves("D9", "NR")
def test_a_class_called_like_another_folder_is_not_looked_for_there(
    genctl: Run, hostile: Path, tmp_path: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "x").mkdir()
    for place in ("pictures/one.png", "x/two.png", "three.png"):
        picture_of(Digits(image_size=16).load("test").pixels[0]).save(tmp_path / place)
    done = genctl("encode", "pictures", "--run", hostile, "--out", "codes.jsonl", "--quiet")
    assert done.code == 0
    (line,) = (tmp_path / "codes.jsonl").read_text().splitlines()
    assert json.loads(line)["path"] == "pictures/one.png"
    assert "label" not in json.loads(line)


@proves("D9", "N")
def test_nothing_is_downloaded_to_where_a_model_says(
    genctl: Run, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody listens
    monkeypatch.setenv("GENCTL_DATA", str(tmp_path / "mine"))

    def move(found: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
        facts["config"]["data"] |= {"kind": "kmnist", "root": str(tmp_path / "theirs")}

    path = rewritten(whole, tmp_path / "moved.safetensors", move)
    done = genctl("evaluate", "--run", path, "--quiet")
    assert done.code == 69
    assert str(tmp_path / "mine") in done.err
    assert not (tmp_path / "theirs").exists()


@proves("D9", "EMN")
@pytest.mark.parametrize("name", ["\x1b[31m", "mоdel.roles", "../../x", "y" * 500_000])
def test_hostile_names_of_tensors_are_shown_as_text(
    name: str, genctl: Run, whole: Path, tmp_path: Path
) -> None:
    def add(found: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
        found[name] = torch.zeros(1)

    path = rewritten(whole, tmp_path / "changed.safetensors", add)
    refuse(genctl, commands(path)[0], "which is no part of a model")


@proves("D9", "EMN")
@pytest.mark.parametrize("facts", ['{"kind": "\\u001b[2J"}', '{"kind": "' + "k" * 3_000_000 + '"}'])
def test_hostile_facts_are_shown_as_text(
    facts: str, genctl: Run, whole: Path, tmp_path: Path
) -> None:
    def replace(found: dict[str, torch.Tensor], old: dict[str, Any]) -> None:
        old.clear()
        old |= json.loads(facts)

    path = rewritten(whole, tmp_path / "changed.safetensors", replace)
    refuse(genctl, commands(path)[0], "not a model")


@proves("D9", "NR")
def test_a_strangers_run_directory_is_listed_and_nothing_in_it_is_obeyed(
    genctl: Run, tiny_run: Path, tmp_path: Path
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
    terminal_is_safe(listed)
    done = genctl("train", "--config", "tiny", "--name", "theirs", "--quiet", "--json")
    assert done.code == 0, done.err
    assert done.json["status"] == "complete"
