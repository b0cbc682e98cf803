"""Running means, computed by hand."""

import pytest
import torch

from genctl.common.errors import Diverged
from genctl.training.running_means import RunningMeans


def add(means: RunningMeans, values: dict[str, float]) -> None:
    means.add(tuple(values), torch.tensor(list(values.values())))


def test_each_mean_is_over_the_values_of_its_name() -> None:
    means = RunningMeans()
    add(means, {"critic/real": 1.0, "critic/r1": 10.0})
    add(means, {"critic/real": 4.0})
    add(means, {"generator/real": -1.0})
    means.add(("critic/r1", "critic/r1"), torch.tensor([20.0, 60.0]))
    assert means.pop() == {"critic/real": 2.5, "critic/r1": 30.0, "generator/real": -1.0}


def test_pop_starts_again() -> None:
    means = RunningMeans()
    add(means, {"critic/real": 1.0})
    means.pop()
    assert means.pop() == {}
    add(means, {"critic/real": 3.0})
    assert means.pop() == {"critic/real": 3.0}


def test_small_values_are_not_lost_beside_a_large_one() -> None:
    means = RunningMeans()
    add(means, {"loss": 2.0**25})
    for _ in range(7):
        add(means, {"loss": 1.0})
    assert means.pop() == {"loss": (2.0**25 + 7) / 8}  # float32 would drop the ones


def test_infinite_values_and_nan_are_reported_by_name() -> None:
    means = RunningMeans()
    means.require_finite()
    add(means, {"critic/real": 1.0, "critic/r1": float("inf")})
    add(means, {"generator/fake": float("nan")})
    with pytest.raises(Diverged, match=r"critic/r1, generator/fake became infinite"):
        means.require_finite()


def test_no_gradient_graph_is_kept() -> None:
    means = RunningMeans()
    means.add(("loss",), torch.ones(1, requires_grad=True))
    assert means.sums is not None
    assert not means.sums.requires_grad


def test_restored_means_continue() -> None:
    first, second = RunningMeans(), RunningMeans()
    add(first, {"a": 0.1, "b": 0.2})
    second.restore(*first.state())
    for means in (first, second):
        add(means, {"b": 0.7})
        add(means, {"c": 3.0, "a": 2.0})
    assert first.state() == second.state()
    expected = first.pop()
    assert expected == second.pop() == pytest.approx({"a": 1.05, "b": 0.45, "c": 3.0})
