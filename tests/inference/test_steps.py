"""A flow may take several steps from noise to images; other models refuse."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from genctl.common.errors import UsageError
from genctl.data.pixels import to_uint8
from genctl.inference.provenance import provenance_of
from genctl.inference.samples import SampleRequest, SampleSet
from genctl.runs import model_file
from genctl.runs.model_file import TrainedModel
from tests.support.models import save_model

FLOW = (
    "objective.kind=meanflow",
    "networks.kind=unet",
    "networks.channels=[4, 8]",
    "networks.critic_channels=[4, 8]",
    "networks.encoder_channels=[4, 8]",
    "training.precision=fp32",
)
REQUEST = SampleRequest(("label:3",), n=5)


def read(path: Path, *overrides: str) -> TrainedModel:
    return model_file.read(save_model(path / "model.safetensors", *overrides), torch.device("cpu"))


@pytest.fixture
def flow(tmp_path: Path) -> TrainedModel:
    trained = read(tmp_path, *FLOW)
    with torch.no_grad():  # its last layer begins at zero, so that the flow would stand still
        trained.model.networks["generator"].get_parameter("last.weight").normal_()
    return trained


def test_the_steps_are_those_of_the_generator(flow: TrainedModel) -> None:
    found = {}
    for steps in (1, 3):
        samples = SampleSet.from_request(replace(REQUEST, steps=steps), flow)
        (condition,) = samples.conditions
        z, codes = condition.z(0, 0, 5), condition.codes(0, 0, 5)
        with torch.no_grad():
            expected = to_uint8(flow.model.networks["generator"](z, codes, steps))
        found[steps] = samples.pixels(5)
        assert (found[steps].int() - expected.int()).abs().max() <= 1
    assert not torch.equal(found[1], found[3])


def test_a_picture_says_how_many_steps_it_took(flow: TrainedModel) -> None:
    several = SampleSet.from_request(replace(REQUEST, steps=4), flow)
    assert provenance_of(several).command.endswith("--steps 4")
    assert "--steps" not in provenance_of(SampleSet.from_request(REQUEST, flow)).command


def test_a_gan_refuses_several_steps(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--steps 2: .* was trained with nonsaturating and"):
        SampleSet.from_request(replace(REQUEST, steps=2), read(tmp_path))
