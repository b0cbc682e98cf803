"""Batch k of seed s is a pure function: of nothing that happened before, and of nothing else."""

from itertools import pairwise

import pytest
import torch

from genctl.config.config import Config
from genctl.data.batch import Batch
from genctl.training.batches import Batches
from tests.support.tiny import batches, image_numbers, images, tiny


@pytest.fixture
def config() -> Config:
    return tiny("condition.kind=none")  # shows the images themselves, 8 in a batch


def same(one: Batch, other: Batch) -> bool:
    return all(
        torch.equal(getattr(one, name), getattr(other, name))
        for name in ("noise", "real", "shown", "labels")
    )


def sequence(source: Batches, count: int) -> list[int]:
    return [number for k in range(count) for number in image_numbers(source.batch(k).real)]


@pytest.mark.parametrize("kind", ["none", "label", "image"])
def test_the_order_of_asking_does_not_matter(kind: str) -> None:
    config = tiny(f"condition.kind={kind}")
    forwards, backwards = batches(config), batches(config)
    drawn = {number: forwards.batch(number) for number in range(12)}
    for number in reversed(range(12)):
        assert same(backwards.batch(number), drawn[number])
    assert same(batches(config).batch(7), drawn[7])


def test_what_torch_draws_elsewhere_does_not_matter(config: Config) -> None:
    torch.manual_seed(0)
    before = batches(config).batch(3)
    torch.manual_seed(1)
    assert same(batches(config).batch(3), before)


def test_a_batch_leaves_the_common_randomness_alone(config: Config) -> None:
    state = torch.get_rng_state()
    batches(config).batch(3)
    assert torch.equal(torch.get_rng_state(), state)


def test_every_epoch_shows_every_image_once_in_an_order_of_its_own(config: Config) -> None:
    shown = sequence(batches(config), 10)  # 80 images are four epochs of 20
    epochs = [shown[start : start + 20] for start in range(0, 80, 20)]
    assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
    assert all(one != other for one, other in pairwise(epochs))


def test_fewer_images_than_a_batch_are_shown_again_and_again(config: Config) -> None:
    shown = sequence(batches(config, images(count=3)), 3)  # 24 images are eight epochs of 3
    assert all(sorted(shown[start : start + 3]) == [0, 1, 2] for start in range(0, 24, 3))


def test_seeds_and_numbers_give_other_batches(config: Config) -> None:
    other = tiny("condition.kind=none", "training.seed=1")
    first, second = batches(config), batches(other)
    assert sequence(first, 5) != sequence(second, 5)
    noise = [source.batch(k).noise for source in (first, second) for k in range(5)]
    assert len(torch.stack(noise).flatten(1).unique(dim=0)) == 10


def test_purposes_have_randomness_of_their_own(config: Config) -> None:
    drawn = batches(config).batch(0)
    uses = ("noise", "partner", "code")
    values = [drawn.draws.normal(use, 4) for use in uses]
    assert len(torch.stack(values).unique(dim=0)) == 3
    assert torch.equal(values[0], drawn.noise)  # and asking again gives the same


def test_noise_is_normal_and_images_are_in_range(config: Config) -> None:
    source = batches(config)
    noise = torch.cat([source.batch(k).noise for k in range(500)])
    assert noise.mean().item() == pytest.approx(0, abs=0.05)
    assert noise.std().item() == pytest.approx(1, abs=0.05)
    real = source.batch(0).real
    assert -1 <= real.min() < -0.9 < 0.9 < real.max() <= 1


def test_a_batch_knows_its_variant_and_progress(config: Config) -> None:
    drawn = batches(config).batch(5, "penalised", 0.25)
    assert (drawn.variant, float(drawn.progress)) == ("penalised", 0.25)


@pytest.mark.parametrize("kind", ["none", "label", "image"])
def test_rows_of_a_batch_are_those_of_the_whole(kind: str) -> None:
    config = tiny(f"condition.kind={kind}")
    whole = batches(config).batch(3)
    for rows in (slice(0, 4), slice(4, 8)):
        part = batches(config, rows=rows).batch(3)
        for name in ("noise", "real", "shown", "labels"):
            torch.testing.assert_close(getattr(part, name), getattr(whole, name)[rows])
        assert torch.equal(part.draws.uniform("code", 2), whole.draws.uniform("code", 2)[rows])


def test_what_turns_share_is_computed_once(config: Config) -> None:
    drawn, calls = batches(config).batch(0), []
    for _ in range(2):
        assert drawn.once("fake", lambda: calls.append(1) or "images") == "images"  # type: ignore[func-returns-value]
    assert calls == [1]
    assert batches(config).batch(0).shared == {}


def test_the_first_batch_never_changes(config: Config) -> None:
    drawn = batches(config).batch(0)
    assert image_numbers(drawn.real) == [15, 16, 9, 0, 6, 19, 17, 14]
    assert drawn.noise[0].tolist() == pytest.approx(
        [-0.170791, 0.688626, 0.103598, -0.693341], abs=1e-6
    )
