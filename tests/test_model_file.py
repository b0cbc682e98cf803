"""A model file is whole and genuine, or refused; nothing in it is ever obeyed."""

import json
import pickle
import random
import resource
import struct
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import program
from models import save_model
from safetensors.torch import load_file, save_file

from genctl import model_file, tensors
from genctl.errors import BadContent, MissingInput
from genctl.model import DRAWING, Model
from genctl.weights import prefixed

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model") / "model.safetensors")


def refuse(path: Path, why: str | None = None) -> None:
    with pytest.raises(BadContent, match=why) as refused:
        model_file.read(path, CPU)
    assert path.name in str(refused.value)
    assert len(refused.value.lines()) == 1


def header(content: bytes) -> dict[str, Any]:
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length])  # type: ignore[no-any-return]


def with_header(content: bytes, text: str) -> bytes:
    (length,) = struct.unpack("<Q", content[:8])
    raw = text.encode() + b" " * (-len(text.encode()) % 8)
    return struct.pack("<Q", len(raw)) + raw + content[8 + length :]


def rewritten(whole: Path, path: Path, change: Any) -> Path:
    """A model file that someone who knows the format has changed, with a digest that fits."""
    found, facts, _ = tensors.read(whole, "model")
    change(found, facts)
    tensors.write(path, found, facts)
    return path


def test_a_model_reads_back_to_the_last_bit(whole: Path, tmp_path: Path) -> None:
    read = model_file.read(whole, CPU)
    again = tmp_path / "again.safetensors"
    digest = model_file.write(again, read.model, read.class_codes, read.typical_codes, read.facts)
    assert digest == read.digest
    assert again.read_bytes() == whole.read_bytes()
    weights = prefixed("model", read.model.state_dict())
    stored = load_file(whole)
    assert weights.keys() | {"class_codes", "typical_codes"} == stored.keys()
    assert all(torch.equal(weights[name], stored[name]) for name in weights)
    assert not read.model.training
    assert not any(weight.requires_grad for weight in read.model.parameters())


@pytest.mark.parametrize("share", [0, 1e-4, 0.001, 0.01, 0.3, 0.9, 0.999])
def test_a_cut_file_is_refused(share: float, whole: Path, tmp_path: Path) -> None:
    content = whole.read_bytes()
    path = tmp_path / "cut.safetensors"
    path.write_bytes(content[: int(len(content) * share)])
    refuse(path)
    path.write_bytes(content[:-1])
    refuse(path)


def test_bytes_after_the_end_are_refused(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "long.safetensors"
    path.write_bytes(whole.read_bytes() + b"\0")
    refuse(path)


def test_any_flipped_bit_is_refused(whole: Path, tmp_path: Path) -> None:
    content, path, chance = whole.read_bytes(), tmp_path / "bit.safetensors", random.Random(0)
    (length,) = struct.unpack("<Q", content[:8])
    in_header = [chance.randrange(8 + length) for _ in range(30)]
    in_weights = [chance.randrange(8 + length, len(content)) for _ in range(30)]
    for place in in_header + in_weights:
        changed = bytearray(content)
        changed[place] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        refuse(path)


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("canary"),))


def test_a_pickle_is_refused_and_not_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    refuse(path)
    torch.save({"model": Bomb()}, path)
    refuse(path)
    assert not Path("canary").exists()


@pytest.mark.parametrize("length", [2**20, 2**40, 2**63, 2**64 - 1])
def test_a_header_that_claims_to_be_huge_is_refused(length: int, tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    path.write_bytes(struct.pack("<Q", length) + b'{"a": 1}')
    refuse(path, "truncated" if length < 2**22 else "not a safetensors file")


@pytest.mark.parametrize("text", ["[]", "3", "null", "{}", '{"__metadata__": 3}', "{", "[" * 9999])
def test_a_header_that_is_no_header_is_refused(text: str, whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    path.write_bytes(with_header(whole.read_bytes(), text))
    refuse(path)


def test_a_key_that_stands_twice_is_refused(whole: Path, tmp_path: Path) -> None:
    content = whole.read_bytes()
    text = json.dumps(header(content))
    path = tmp_path / "same.safetensors"
    path.write_bytes(with_header(content, text))
    model_file.read(path, CPU)  # so far it is only written anew
    codes = json.dumps(header(content)["class_codes"])
    start = '"__metadata__": {'
    assert start in text
    for twins in (f'"class_codes": {codes}, {start}', f'{start}"format": "genctl 1", '):
        path.write_bytes(with_header(content, text.replace(start, twins, 1)))
        refuse(path, "a key stands there twice")


def test_a_file_of_another_program_and_of_a_newer_one_is_refused(
    whole: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    refuse(path, "not written by genctl")
    found = header(whole.read_bytes())
    found["__metadata__"]["format"] = "genctl 99"
    path.write_bytes(with_header(whole.read_bytes(), json.dumps(found)))
    refuse(path, "newer genctl")


def test_a_checkpoint_is_no_model(tiny_run: Path) -> None:
    refuse(next((tiny_run / "checkpoints").iterdir()), "not a model")


CHANGES = {
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


@pytest.mark.parametrize("what", CHANGES)
def test_a_file_that_does_not_fit_itself_is_refused(what: str, whole: Path, tmp_path: Path) -> None:
    refuse(rewritten(whole, tmp_path / "changed.safetensors", CHANGES[what]))


def test_networks_that_do_not_suit_the_images_are_refused(whole: Path, tmp_path: Path) -> None:
    read, path = model_file.read(whole, CPU), tmp_path / "small.safetensors"
    networks = read.facts.config.networks.model_copy(update={"generator_widths": (8,)})
    facts = replace(read.facts, config=read.facts.config.model_copy(update={"networks": networks}))
    model = Model(facts.config, 10, DRAWING)
    model_file.write(path, model, read.class_codes, read.typical_codes, facts)
    refuse(path, "need 2 widths, found 1")


HUGE = {
    "a gigabyte": {"generator_widths": [4000, 4000]},
    "wide": {"generator_widths": [10**9, 10**9]},
    "wider than any tensor": {"encoder_widths": [10**18, 10**18]},
    "wider than any number": {"critic_features": 10**30, "encoder_widths": [10**30, 3]},
    "deep": {"kind": "resnet", "widths": [8, 8, 8], "blocks": 10**9},
}


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
@pytest.mark.parametrize("what", HUGE)
def test_a_config_that_asks_for_huge_networks_costs_little(
    what: str, whole: Path, tmp_path: Path
) -> None:
    def enlarge(found: Any, facts: Any) -> None:
        networks = facts["config"]["networks"]
        facts["config"]["networks"] = HUGE[what] if "kind" in HUGE[what] else networks | HUGE[what]

    path = rewritten(whole, tmp_path / "huge.safetensors", enlarge)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refuse(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(MissingInput):
            model_file.read(path, CPU)


def test_a_model_needs_nothing_but_itself(tiny_run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere.safetensors"
    moved.write_bytes((tiny_run / "model.safetensors").read_bytes())
    sampled = program("sample", "--run", moved.name, "--n", 3, "--condition", "label:1",
                      "--out", "a.npz", cwd=tmp_path)  # fmt: skip
    encoded = program("encode", "digits:test[0:9]", "--run", moved.name, cwd=tmp_path)
    assert (sampled.code, encoded.code) == (0, 0)
    assert {path.name for path in tmp_path.iterdir()} == {moved.name, "a.npz", "codes.npz"}
