"""``scripts/second_judge.py`` measures by formulas of its own: they say what genctl's say."""

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from genctl.data.base import Images
from genctl.evaluation.fid import fit_gaussian, frechet_distance
from genctl.evaluation.neighbours import Neighbourhood, prdc
from genctl.evaluation.scores import mean_distance
from genctl.runs import model_file
from tests.conftest import REPOSITORY
from tests.support.models import save_model


@pytest.fixture(scope="module")
def script() -> Iterator[Any]:
    """The script as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "scripts"))
        yield importlib.import_module("second_judge")


def test_two_ways_to_the_same_scores(script: Any) -> None:
    random = torch.Generator().manual_seed(0)
    real = torch.randn(300, 6, generator=random).double()
    fake = 0.8 * torch.randn(300, 6, generator=random).double() + 0.3
    assert script.fid(real, fake) == pytest.approx(
        frechet_distance(fit_gaussian(real), fit_gaussian(fake))
    )
    expected = prdc(Neighbourhood(real), Neighbourhood(fake))
    for name, value in script.neighbours(real, fake).items():
        assert value == expected[name], name
    assert float(script.spread(real)) == pytest.approx(float(mean_distance(real)))


def test_every_sample_has_a_z_of_its_own(script: Any, tmp_path: Any) -> None:
    path = save_model(tmp_path / "model.safetensors")
    trained = model_file.read(path, torch.device("cpu"))
    shape = trained.metadata.config.data.shape
    grey = torch.zeros(1, shape.channels, shape.size, shape.size, dtype=torch.uint8)
    digits = Images(grey.expand(4, -1, -1, -1), torch.zeros(4).long(), tuple("0123456789"))
    drawn = script.draw(trained.model, digits, 4, each=2)
    assert len(drawn.flatten(1).unique(dim=0)) == 8  # though all four conditions are the same
