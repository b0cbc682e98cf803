"""Batch k of seed s is a pure function: it depends on k and s, and on nothing that came before."""

from itertools import pairwise

import pytest
import torch

from genctl.config.config import Config
from genctl.data.batch import Batch
from genctl.training.batches import Batches
from tests.support.tiny import batches, image_numbers, images, tiny

TENSORS = ("z", "real", "condition_images", "labels")


@pytest.fixture
def config() -> Config:
    return tiny("condition.kind=none")  # without augmentation; 8 images in a batch


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in TENSORS)


def sequence(source: Batches, count: int) -> list[int]:
    """The numbers of the images in the first ``count`` batches."""
    return [number for k in range(count) for number in image_numbers(source.batch(k).real)]


@pytest.mark.parametrize("kind", ["none", "label", "image"])
def test_the_order_of_access_does_not_matter(kind: str) -> None:
    config = tiny(f"condition.kind={kind}")
    forwards, backwards = batches(config), batches(config)
    expected = {number: forwards.batch(number) for number in range(12)}
    for number in reversed(range(12)):
        assert same(backwards.batch(number), expected[number])
    assert same(batches(config).batch(7), expected[7])


def test_global_random_numbers_are_neither_used_nor_changed(config: Config) -> None:
    torch.manual_seed(0)
    before = batches(config).batch(3)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    assert same(batches(config).batch(3), before)
    assert torch.equal(torch.get_rng_state(), state)


def test_every_epoch_visits_every_image_once_in_its_own_order(config: Config) -> None:
    visited = sequence(batches(config), 10)  # 80 images are four epochs of 20
    epochs = [visited[start : start + 20] for start in range(0, 80, 20)]
    assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
    assert all(one != other for one, other in pairwise(epochs))


def test_a_batch_may_be_larger_than_the_data(config: Config) -> None:
    visited = sequence(batches(config, images(count=3)), 3)  # 24 images are eight epochs of 3
    assert all(sorted(visited[start : start + 3]) == [0, 1, 2] for start in range(0, 24, 3))


def test_another_seed_or_number_gives_other_images_and_other_z(config: Config) -> None:
    first, second = batches(config), batches(tiny("condition.kind=none", "training.seed=1"))
    assert sequence(first, 5) != sequence(second, 5)
    z = [source.batch(k).z for source in (first, second) for k in range(5)]
    assert len(torch.stack(z).flatten(1).unique(dim=0)) == 10


def test_each_purpose_has_its_own_random_numbers(config: Config) -> None:
    batch = batches(config).batch(0)
    values = [batch.noise.normal(purpose, 4) for purpose in ("noise", "partner", "code")]
    assert len(torch.stack(values).unique(dim=0)) == 3
    assert torch.equal(values[0], batch.z)  # the same whenever it is asked for again


def test_z_is_normal_and_images_are_in_range(config: Config) -> None:
    source = batches(config)
    z = torch.cat([source.batch(k).z for k in range(500)])
    assert z.mean().item() == pytest.approx(0, abs=0.05)
    assert z.std().item() == pytest.approx(1, abs=0.05)
    real = source.batch(0).real
    assert -1 <= real.min() < -0.9 < 0.9 < real.max() <= 1


def test_variant_and_progress_are_in_the_batch(config: Config) -> None:
    batch = batches(config).batch(5, "penalized", 0.25)
    assert (batch.variant, float(batch.progress)) == ("penalized", 0.25)


@pytest.mark.parametrize("kind", ["none", "label", "image"])
def test_rows_of_a_batch_are_those_of_the_whole(kind: str) -> None:
    config = tiny(f"condition.kind={kind}")
    whole = batches(config).batch(3)
    for rows in (slice(0, 4), slice(4, 8)):
        part = batches(config, rows=rows).batch(3)
        for name in TENSORS:
            torch.testing.assert_close(getattr(part, name), getattr(whole, name)[rows])
        assert torch.equal(part.noise.uniform("code", 2), whole.noise.uniform("code", 2)[rows])


def test_the_first_batch_never_changes(config: Config) -> None:
    batch = batches(config).batch(0)
    assert image_numbers(batch.real) == [15, 16, 9, 0, 6, 19, 17, 14]
    assert batch.z[0].tolist() == pytest.approx(
        [-0.170791, 0.688626, 0.103598, -0.693341], abs=1e-6
    )
