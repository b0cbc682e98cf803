"""Running means, by hand."""

import pytest
import torch

from genctl.errors import Diverged
from genctl.meter import Meter


def test_means_are_over_the_values_that_were_there() -> None:
    meter = Meter()
    meter.add("critic", {"real": torch.tensor(1.0), "r1": torch.tensor(10.0)})
    meter.add("critic", {"real": torch.tensor(4.0)})
    meter.add("generator", {"real": torch.tensor(-1.0)})
    assert meter.means() == {"critic/real": 2.5, "critic/r1": 10.0, "generator/real": -1.0}


def test_asking_starts_anew() -> None:
    meter = Meter()
    meter.add("critic", {"real": torch.tensor(1.0)})
    meter.means()
    assert meter.means() == {}
    meter.add("critic", {"real": torch.tensor(3.0)})
    assert meter.means() == {"critic/real": 3.0}


def test_many_small_values_are_not_lost_beside_a_large_one() -> None:
    meter = Meter()
    meter.add("a", {"b": torch.tensor(2.0**25)})
    for _ in range(7):
        meter.add("a", {"b": torch.tensor(1.0)})
    assert meter.means() == {"a/b": (2.0**25 + 7) / 8}  # in float32 the ones would vanish


def test_values_that_are_not_finite_are_told_by_name() -> None:
    meter = Meter()
    meter.require_finite()
    meter.add("critic", {"real": torch.tensor(1.0), "r1": torch.tensor(float("inf"))})
    meter.add("generator", {"fake": torch.tensor(float("nan"))})
    with pytest.raises(Diverged, match=r"critic/r1, generator/fake became infinite"):
        meter.require_finite()


def test_no_gradient_is_kept_alive() -> None:
    meter = Meter()
    meter.add("a", {"b": torch.tensor(1.0, requires_grad=True)})
    assert not meter.sums["a/b"].requires_grad


def test_a_restored_meter_goes_on_where_the_first_stood() -> None:
    first, second = Meter(), Meter()
    first.add("a", {"b": torch.tensor(1.0)})
    second.restore(*first.state())
    for meter in (first, second):
        meter.add("a", {"b": torch.tensor(2.0)})
    assert first.means() == second.means() == {"a/b": 1.5}
