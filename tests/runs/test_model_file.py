"""A model file reads back exactly, or is refused; nothing in it is ever executed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from genctl.common.errors import BadContent, MissingInput
from genctl.common.weights import prefixed
from genctl.runs import model_file
from tests.conftest import run_genctl
from tests.support.forge import header, with_header

CPU = torch.device("cpu")


def refuse(path: Path, why: str | None = None) -> None:
    with pytest.raises(BadContent, match=why) as refused:
        model_file.read(path, CPU)
    assert path.name in str(refused.value)
    assert len(refused.value.lines()) == 1


def test_a_model_reads_back_to_the_last_bit(untrained_model: Path, tmp_path: Path) -> None:
    read = model_file.read(untrained_model, CPU)
    again = tmp_path / "again.safetensors"
    digest = model_file.write(
        again, read.model, read.class_codes, read.training_codes, read.metadata
    )
    assert digest == read.digest
    assert again.read_bytes() == untrained_model.read_bytes()
    weights = prefixed("model", read.model.state_dict())
    stored = load_file(untrained_model)
    assert weights.keys() | {"class_codes", "training_codes"} == stored.keys()
    assert all(torch.equal(weights[name], stored[name]) for name in weights)
    assert not read.model.training
    assert not any(weight.requires_grad for weight in read.model.parameters())


@pytest.mark.parametrize("text", ["[]", "3", "null", "{}", '{"__metadata__": 3}', "{", "[" * 9999])
def test_a_malformed_header_is_refused(text: str, untrained_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    path.write_bytes(with_header(untrained_model.read_bytes(), text))
    refuse(path)


def test_a_duplicate_key_is_refused(untrained_model: Path, tmp_path: Path) -> None:
    content = untrained_model.read_bytes()
    text = json.dumps(header(content))
    path = tmp_path / "same.safetensors"
    path.write_bytes(with_header(content, text))
    model_file.read(path, CPU)  # so far it is only written anew
    codes = json.dumps(header(content)["class_codes"])
    start = '"__metadata__": {'
    assert start in text
    for twins in (f'"class_codes": {codes}, {start}', f'{start}"format": "genctl 1", '):
        path.write_bytes(with_header(content, text.replace(start, twins, 1)))
        refuse(path, "a duplicate key")


def test_files_of_another_program_or_a_newer_version_are_refused(
    untrained_model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    refuse(path, "not written by genctl")
    found = header(untrained_model.read_bytes())
    found["__metadata__"]["format"] = "genctl 99"
    path.write_bytes(with_header(untrained_model.read_bytes(), json.dumps(found)))
    refuse(path, "newer genctl")


def test_a_checkpoint_is_not_a_model(tiny_run: Path) -> None:
    refuse(next((tiny_run / "checkpoints").iterdir()), "not a model")


def test_networks_that_do_not_fit_the_images_are_refused(
    untrained_model: Path, tmp_path: Path
) -> None:
    read, path = model_file.read(untrained_model, CPU), tmp_path / "small.safetensors"
    networks = read.metadata.config.networks.model_copy(update={"generator_channels": (8,)})
    metadata = replace(
        read.metadata, config=read.metadata.config.model_copy(update={"networks": networks})
    )
    model_file.write(path, read.model, read.class_codes, read.training_codes, metadata)
    refuse(path, "need 2 or 3 channel counts, found 1")


def test_a_missing_file_is_missing_input(tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(MissingInput):
            model_file.read(path, CPU)


def test_a_model_file_is_enough_to_sample_and_encode(tiny_run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere.safetensors"
    moved.write_bytes((tiny_run / "model.safetensors").read_bytes())
    sampled = run_genctl("sample", "--run", moved.name, "--n", 3, "--condition", "label:1",
                      "--out", "a.npz", cwd=tmp_path)  # fmt: skip
    encoded = run_genctl("encode", "digits:test[0:9]", "--run", moved.name, cwd=tmp_path)
    assert (sampled.code, encoded.code) == (0, 0)
    assert {path.name for path in tmp_path.iterdir()} == {moved.name, "a.npz", "codes.npz"}
