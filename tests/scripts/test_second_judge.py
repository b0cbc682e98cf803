"""``scripts/second_judge.py``: its own formulas give the same scores as genctl's."""

import importlib
from collections.abc import Iterator
from pathlib import Path
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


def test_scores_are_those_of_genctl(script: Any) -> None:
    rng = torch.Generator().manual_seed(0)
    real = torch.randn(300, 6, generator=rng).double()
    fake = 0.8 * torch.randn(300, 6, generator=rng).double() + 0.3
    assert script.fid(real, fake) == pytest.approx(
        frechet_distance(fit_gaussian(real), fit_gaussian(fake))
    )
    expected = prdc(Neighbourhood(real), Neighbourhood(fake))
    for name, value in script.neighbour_scores(real, fake).items():
        assert value == expected[name], name
    assert float(script.mean_distance(real)) == pytest.approx(float(mean_distance(real)))


def test_every_sample_has_its_own_z(script: Any, tmp_path: Path) -> None:
    path = save_model(tmp_path / "model.safetensors")
    trained = model_file.read(path, torch.device("cpu"))
    shape = trained.metadata.config.data.shape
    grey = torch.zeros(1, shape.channels, shape.size, shape.size, dtype=torch.uint8)
    digits = Images(grey.expand(4, -1, -1, -1), torch.zeros(4).long(), tuple("0123456789"))
    samples = script.sample(trained.model, digits, 4, per_image=2)
    assert len(samples.flatten(1).unique(dim=0)) == 8  # though all four conditions are the same
