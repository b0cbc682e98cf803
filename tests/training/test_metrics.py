"""Running means, by hand."""

import pytest
import torch
from genctl.training.metrics import Meter

from genctl.common.errors import Diverged


def add(meter: Meter, terms: dict[str, float]) -> None:
    meter.add(tuple(terms), torch.tensor(list(terms.values())))


def test_means_are_over_the_values_that_were_there() -> None:
    meter = Meter()
    add(meter, {"critic/real": 1.0, "critic/r1": 10.0})
    add(meter, {"critic/real": 4.0})
    add(meter, {"generator/real": -1.0})
    assert meter.means() == {"critic/real": 2.5, "critic/r1": 10.0, "generator/real": -1.0}


def test_asking_starts_anew() -> None:
    meter = Meter()
    add(meter, {"critic/real": 1.0})
    meter.means()
    assert meter.means() == {}
    add(meter, {"critic/real": 3.0})
    assert meter.means() == {"critic/real": 3.0}


def test_many_small_values_are_not_lost_beside_a_large_one() -> None:
    meter = Meter()
    add(meter, {"a/b": 2.0**25})
    for _ in range(7):
        add(meter, {"a/b": 1.0})
    assert meter.means() == {"a/b": (2.0**25 + 7) / 8}  # in float32 the ones would vanish


def test_values_that_are_not_finite_are_told_by_name() -> None:
    meter = Meter()
    meter.require_finite()
    add(meter, {"critic/real": 1.0, "critic/r1": float("inf")})
    add(meter, {"generator/fake": float("nan")})
    with pytest.raises(Diverged, match=r"critic/r1, generator/fake became infinite"):
        meter.require_finite()


def test_a_name_that_stands_twice_counts_twice() -> None:
    meter = Meter()
    meter.add(("critic/real", "critic/real", "generator/real"), torch.tensor([1.0, 2.0, 5.0]))
    assert meter.means() == {"critic/real": 1.5, "generator/real": 5.0}


def test_no_gradient_is_kept_alive() -> None:
    meter = Meter()
    meter.add(("a",), torch.ones(1, requires_grad=True))
    assert meter.sums is not None
    assert not meter.sums.requires_grad


def test_a_restored_meter_goes_on_where_the_first_stood() -> None:
    first, second = Meter(), Meter()
    add(first, {"a/b": 0.1, "a/c": 0.2})
    second.restore(*first.state())
    for meter in (first, second):
        add(meter, {"a/c": 0.7})
        add(meter, {"a/d": 3.0, "a/b": 2.0})
    assert first.state() == second.state()
    means = first.means()
    assert means == second.means() == pytest.approx({"a/b": 1.05, "a/c": 0.45, "a/d": 3.0})
