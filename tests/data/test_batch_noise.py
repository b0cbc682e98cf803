"""The random numbers of a batch are a function of seed, purpose and batch number."""

import torch

from genctl.data.batch_noise import BatchNoise

CPU = torch.device("cpu")


def noise(seed: int = 0, number: int = 0, rows: slice = slice(None)) -> BatchNoise:
    return BatchNoise(seed, number, 8, CPU, rows)


def test_the_same_purpose_gives_the_same_numbers() -> None:
    one, other = noise(), noise()
    assert torch.equal(one.normal("a", 3), other.normal("a", 3))
    assert torch.equal(one.normal("a", 3), one.normal("a", 3))


def test_seed_purpose_and_batch_number_change_the_numbers() -> None:
    reference = noise().normal("a", 3)
    others = (noise(seed=1).normal("a", 3), noise(number=1).normal("a", 3), noise().normal("b", 3))
    assert not any(torch.equal(other, reference) for other in others)


def test_numbers_have_the_distribution_of_their_name() -> None:
    normal, uniform = noise().normal("a", 10_000), noise().uniform("a", 10_000)
    assert normal.shape == uniform.shape == (8, 10_000)
    assert abs(float(normal.mean())) < 0.02
    assert abs(float(normal.std()) - 1) < 0.02
    assert 0 <= float(uniform.min()) < 0.01
    assert 0.99 < float(uniform.max()) < 1


def test_the_rows_of_several_processes_make_up_the_batch() -> None:
    whole = noise().normal("a", 3)
    parts = [noise(rows=rows).normal("a", 3) for rows in (slice(0, 4), slice(4, 8))]
    assert torch.equal(torch.cat(parts), whole)


def test_advancing_replaces_the_numbers_in_the_same_memory() -> None:
    advanced, later = noise(), noise(number=5)
    normal, uniform = advanced.normal("a", 3), advanced.uniform("b")
    advanced.advance(5)
    assert torch.equal(normal, later.normal("a", 3))
    assert torch.equal(uniform, later.uniform("b"))
    assert advanced.normal("a", 3) is normal
