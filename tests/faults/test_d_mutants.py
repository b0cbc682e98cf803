"""Thousands of mutated model files and checkpoints: refused, or as good as the file they come from.

A fork of this process reads them as the commands do, with little memory left and little time for
each; what it has to say against any of them it writes into a file.
"""

import json
import os
import random
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Run
from forge import header, header_end, with_header
from life import little_memory
from models import save_model
from safetensors.torch import save
from scorecard import proves
from tiny import tiny
from torch import Tensor

from genctl import drawing, model_file, tensors
from genctl.checkpoint import State
from genctl.errors import BadContent
from genctl.model import Model

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")

SPARE = 300 * 2**20  # bytes that reading may take, besides what the process has
SECONDS = 20  # of computing for each file; on a busy machine they last longer
CPU = torch.device("cpu")


def deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


ODD = (None, True, -1, 0, 1, 2, 7, 10**9, 10**30, 0.5, -1e308, float("nan"), float("inf"), "", "x",
       "image", "label", "none", "vae", "folder", "mnist", "resnet", "../../x", "/etc", "~root/x",
       "~nobody-here/x", "\0", "\x1b[31mred\n", "\udc80", "x" * 100_000, [], {}, [[]], [None],
       ["x"] * 5000, [8] * 300, {"kind": "image"}, deep(30), deep(800))  # fmt: skip

TYPES = (torch.float64, torch.float16, torch.uint8, torch.float8_e4m3fn, torch.complex64)


# -- ways to change a file ------------------------------------------------------------------------


def flipped(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    reach = chance.choice([len(content), header_end(content), 24])  # anywhere, or where it hurts
    for _ in range(chance.choice([1, 1, 2, 16])):
        changed[chance.randrange(reach)] = chance.randrange(256)
    return bytes(changed)


def spliced(content: bytes, chance: random.Random) -> bytes:
    """With a piece cut out, doubled, or replaced by another."""
    start, end = sorted(chance.randrange(len(content)) for _ in range(2))
    other = chance.randrange(len(content))
    piece = chance.choice([b"", content[start:end] * 2, content[other : other + end - start]])
    return content[:start] + piece + content[end:]


def with_other_length(content: bytes, chance: random.Random) -> bytes:
    length = header_end(content) - 8
    other = chance.choice(
        [0, 1, length - 1, length + 1, length + 8, 2**22, 2**31, 2**63, 2**64 - 1]
    )
    return other.to_bytes(8, "little") + content[8:]


def with_other_entry(content: bytes, chance: random.Random) -> bytes:
    """One part of one tensor's entry in the header is another's, or odd."""
    found = header(content)
    names = [name for name in found if name != "__metadata__"]
    entry = found[chance.choice(names)]
    match chance.randrange(5):
        case 0:
            entry["dtype"] = chance.choice(
                ["F64", "F16", "U8", "BOOL", "F8_E4M3", "C64", "F4", "X", 7]
            )
        case 1:
            entry["shape"] = chance.choice(
                [[], [2**40], [2**63, 2], [0], [-1], [1.5], found[chance.choice(names)]["shape"]]
            )
        case 2:
            start, end = entry["data_offsets"]
            entry["data_offsets"] = chance.choice(
                [[end, start], [start, end + 4], [start - 4, end], [0, 2**62], [start, start], [0]]
            )
        case 3:
            entry["data_offsets"] = found[chance.choice(names)]["data_offsets"]  # overlapping
        case 4:
            entry[chance.choice(["dtype", "shape", "data_offsets", "more"])] = chance.choice(ODD)
    return with_header(content, json.dumps(found))


def with_other_header(content: bytes, chance: random.Random) -> bytes:
    """A tensor is added, lost or renamed; a key stands there twice; the facts are odd."""
    found = header(content)
    names = [name for name in found if name != "__metadata__"]
    name, end = chance.choice(names), len(content) - header_end(content)
    match chance.randrange(6):
        case 0:
            found["more"] = {"dtype": "F32", "shape": [1], "data_offsets": [end, end + 4]}
        case 1:
            del found[name]
        case 2:
            found[chance.choice(["x" * 10_000, "\x1b[2J", "mоdel", ""])] = found.pop(name)
        case 3:
            twin = f"{{{json.dumps(name)}: {json.dumps(found[chance.choice(names)])}, "
            return with_header(content, twin + json.dumps(found)[1:])
        case 4:
            found["__metadata__"] = chance.choice(ODD)
        case 5:
            key = chance.choice(list(found["__metadata__"]))
            found["__metadata__"][key] = chance.choice([*map(str, ODD[:20]), 7, None, "[" * 10**5])
    return with_header(content, json.dumps(found))


UNSIGNED = (flipped, spliced, with_other_length, with_other_entry, with_other_header)


def signed(content: dict[str, Tensor], facts: Any) -> bytes:
    """What someone who knows the format writes, with a digest that fits."""
    text = json.dumps(facts)
    metadata = {"format": "genctl 1", "facts": text, "sha256": tensors._digest(content, text)}
    return save({name: tensor.clone() for name, tensor in content.items()}, metadata)


def with_odd_fact(content: dict[str, Tensor], facts: Any, chance: random.Random) -> bytes:
    """Some value, however deep inside, is odd or missing."""
    facts = json.loads(json.dumps(facts))
    inside = facts
    while True:
        key: Any = chance.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
        if not isinstance(inside[key], dict | list) or not inside[key] or chance.random() < 0.2:
            break
        inside = inside[key]
    if chance.random() < 0.15:
        del inside[key]
    elif isinstance(inside, dict) and chance.random() < 0.1:
        inside[chance.choice(["more", "kind", "root", "\x1b[31m"])] = chance.choice(ODD)
    else:
        inside[key] = chance.choice(ODD)
    return signed(content, facts)


def with_odd_tensor(content: dict[str, Tensor], facts: Any, chance: random.Random) -> bytes:
    """Some tensor is lost, added, of another shape or type, or holds what is no number."""
    content = dict(content)
    name = chance.choice(list(content))
    tensor = content[name]
    match chance.randrange(6):
        case 0:
            del content[name]
        case 1:
            content[chance.choice(["more", "model.more", "optimizer.critic.x", "x" * 5000])] = (
                tensor
            )
        case 2:
            content[name] = tensor.reshape(-1)[: chance.choice([0, 1, tensor.numel()])].clone()
        case 3:
            content[name] = tensor.to(chance.choice(TYPES))
        case 4:
            content[name] = torch.full_like(tensor, torch.nan if tensor.is_floating_point() else 0)
        case 5:
            content[name] = content[chance.choice(list(content))].clone()
    return signed(content, facts)


# -- what is expected of them ---------------------------------------------------------------------

Judge = Callable[[Path, bool], None]


def survey(whole: Path, kind: str, count: int, seed: int, judge: Judge) -> list[str]:
    """Let ``judge`` look at ``count`` mutants of a file; returns what it says against them."""
    content = whole.read_bytes()
    found, facts, _ = tensors.read(whole, kind)
    chance, path, complaints = random.Random(seed), Path("mutant.safetensors"), []
    for number in range(count):
        is_signed = number % 2 == 1
        if is_signed:
            way: Any = chance.choice([with_odd_fact, with_odd_fact, with_odd_tensor])
            mutant = way(found, facts, chance)
        else:
            way = chance.choice(UNSIGNED)
            mutant = way(content, chance)
        path.write_bytes(mutant)
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        try:
            judge(path, is_signed)
        except BaseException:
            complaints.append(f"mutant {number} ({way.__name__}): {traceback.format_exc()}")
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return complaints


def in_little_memory(folder: Path, work: Callable[[], list[str]]) -> list[str]:
    """What ``work`` returns when it is done in a fork of this process that cannot grow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fork of a process with threads, which are idle
        pid = os.fork()
    if not pid:
        code = 99
        try:
            os.chdir(folder)
            little_memory(SPARE)()
            Path("complaints.json").write_text(json.dumps(work()))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "it died, or took too long over one file"
    complaints: list[str] = json.loads((folder / "complaints.json").read_text())
    return complaints


def require(error: BadContent, path: Path) -> None:
    """A refusal must name the file and a way out, in one line."""
    (line,) = error.lines()
    assert str(path) in line
    assert "; " in line


def model_judge(whole: Path) -> Judge:
    """Expects a refusal, or of an unsigned mutant the very model, of a signed one a picture."""
    expected = model_file.read(whole, CPU)

    def judge(path: Path, is_signed: bool) -> None:
        try:
            found = model_file.read(path, CPU)
        except BadContent as error:
            require(error, path)
            return
        if is_signed:
            drawing.draw(drawing.Order((), 2, 0), found, print, print).pixels(2)
            return
        assert found.facts == expected.facts
        weights = expected.model.state_dict()
        assert all(torch.equal(one, weights[key]) for key, one in found.model.state_dict().items())

    return judge


COUNTS = [pytest.param(300, id="300"), pytest.param(5000, id="5000", marks=pytest.mark.slow)]


@proves("D4", "EMN")
@pytest.mark.parametrize("count", COUNTS)
def test_mutated_models_are_refused_or_as_good_as_new(count: int, tmp_path: Path) -> None:
    whole = save_model(tmp_path / "whole.safetensors")
    before, judge = whole.read_bytes(), model_judge(whole)
    assert in_little_memory(tmp_path, lambda: survey(whole, "model", count, 5, judge)) == []
    assert whole.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {
        "whole.safetensors", "mutant.safetensors", "complaints.json",
    }  # fmt: skip


@proves("D4", "ENR")
@pytest.mark.parametrize("count", COUNTS)
def test_mutated_checkpoints_are_refused_and_change_nothing(count: int, tmp_path: Path) -> None:
    config = tiny("condition.width=4")
    whole = tmp_path / "whole.safetensors"
    State(config, Model(config, 4)).save(whole, {"seconds": 1.5, "precision": "fp32"})
    fresh = State(tiny("condition.width=4", "training.seed=1"), Model(config, 4))
    before = {name: value.clone() for name, value in fresh._learned().items()}

    def judge(path: Path, is_signed: bool) -> None:
        try:
            fresh.load(path)
        except BadContent as error:
            require(error, path)
            kept = fresh._learned()
            assert all(torch.equal(kept[name], value) for name, value in before.items())
            return
        fresh.save(Path("again.safetensors"), {})  # it can be gone on from
        for name, value in fresh._learned().items():
            value.copy_(before[name])

    assert in_little_memory(tmp_path, lambda: survey(whole, "checkpoint", count, 6, judge)) == []


@proves("D4", "EMR")
def test_a_mutant_on_the_command_line_is_one_line(genctl: Run, tmp_path: Path) -> None:
    whole, chance = save_model(tmp_path / "whole.safetensors"), random.Random(7)
    found, facts, _ = tensors.read(whole, "model")
    for number in range(60):
        way: Any = chance.choice([with_odd_fact, with_odd_tensor])
        Path("mutant.safetensors").write_bytes(way(found, facts, chance))
        done = genctl(
            "sample", "--run", "mutant.safetensors", "--n", 1, "--out", "a.png", "--quiet"
        )
        assert done.code in (0, 65), (number, done.err)
        assert done.err.count("genctl: error: ") == (done.code == 65)
        assert len(done.err) < 3000
        assert done.err.isascii() or "\x1b" not in done.err
    assert genctl("sample", "--run", whole, "--n", 1, "--out", "a.png").code == 0
