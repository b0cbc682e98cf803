"""Seeds are golden values: another seed would change the result of every run."""

import pytest
import torch

from genctl.common.rng import derive_seed, torch_rng


@pytest.mark.parametrize(
    ("purpose", "expected"),
    [
        ((0,), 7210762507766007076),
        ((0, "init", "generator"), 5911423902461223962),
        ((0, "noise", 0), 4559201308458492164),
        ((0, "noise", 1), 1975832920945326368),
        ((2**63, "order", 7), 8964783286551015183),
    ],
)
def test_seeds_never_change(purpose: tuple[int, ...], expected: int) -> None:
    assert derive_seed(*purpose) == expected


def test_the_numbers_of_a_seed_never_change() -> None:
    drawn = torch.randint(1000, (5,), generator=torch_rng(0, "noise", 0))
    assert drawn.tolist() == [310, 431, 335, 688, 32]


def test_every_seed_is_valid_for_torch() -> None:
    assert all(0 <= derive_seed(seed, "noise", 0) < 2**63 for seed in range(1000))


def test_different_purposes_have_different_seeds() -> None:
    purposes = [(s, p, n) for s in range(5) for p in ("noise", "order", "code") for n in range(50)]
    assert len({derive_seed(*purpose) for purpose in purposes}) == len(purposes)
    similar: list[tuple[str | int, ...]] = [("1",), (1,), ("a", "b"), ("ab",)]
    assert len({derive_seed(0, *purpose) for purpose in similar}) == len(similar)
