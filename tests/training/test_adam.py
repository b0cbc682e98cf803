"""The optimizer against torch's own, and against algorithm 1 written out."""

import pytest
import torch
from torch import Tensor, nn

from genctl.training.adam import Adam


def parameters(seed: int = 0) -> list[nn.Parameter]:
    random = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(shape, generator=random)) for shape in ((3, 4), (5,), ())]


def gradients(own: list[nn.Parameter], step: int) -> list[Tensor | None]:
    """The same for every list of parameters; the second is idle in every third step."""
    random = torch.Generator().manual_seed(1000 + step)
    drawn = [torch.randn(parameter.shape, generator=random) for parameter in own]
    return [
        None if index == 1 and step % 3 == 0 else gradient * 10.0 ** (step % 5 - 2)
        for index, gradient in enumerate(drawn)
    ]


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.999), (0.0, 0.99), (0.0, 0.0)])
def test_it_takes_the_steps_of_torch(betas: tuple[float, float]) -> None:
    ours, theirs = parameters(), parameters()
    adam = Adam(ours, betas, 1e-8)
    reference = torch.optim.Adam(theirs, betas=betas, eps=1e-8, fused=False, foreach=False)
    for step in range(200):
        rate = 0.01 * (1 + step % 7)
        adam.step(gradients(ours, step), torch.tensor(rate))
        for parameter, gradient in zip(theirs, gradients(theirs, step), strict=True):
            parameter.grad = gradient
        reference.param_groups[0]["lr"] = rate
        reference.step()
        for one, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_it_is_the_algorithm_of_the_paper() -> None:
    parameter = nn.Parameter(torch.tensor([1.0, -2.0]))
    adam = Adam([parameter], (0.9, 0.99), 1e-8)
    expected, mean, square = parameter.detach().double(), 0.0, 0.0
    for step in range(1, 21):
        gradient = torch.tensor([step, -0.1 * step]).double()
        adam.step([gradient.float()], torch.tensor(0.1))
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.99 * square + 0.01 * gradient**2
        unbiased = (square / (1 - 0.99**step)) ** 0.5
        expected = expected - 0.1 * mean / (1 - 0.9**step) / (unbiased + 1e-8)
        torch.testing.assert_close(parameter.detach().double(), expected, rtol=1e-5, atol=1e-6)


def test_a_restored_one_goes_on_as_if_nothing_had_happened() -> None:
    ours, theirs = parameters(), parameters()
    first = Adam(ours, (0.5, 0.9), 1e-8)
    whole = Adam(theirs, (0.5, 0.9), 1e-8)
    for step in range(10):
        for adam, own in ((first, ours), (whole, theirs)):
            adam.step(gradients(own, step), torch.tensor(0.01))
    second = Adam(ours, (0.5, 0.9), 1e-8)
    second.restore({name: tensor.clone() for name, tensor in first.state().items()})
    for step in range(10, 20):
        for adam, own in ((second, ours), (whole, theirs)):
            adam.step(gradients(own, step), torch.tensor(0.01))
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_without_gradients_nothing_moves() -> None:
    own = parameters()
    before = [parameter.detach().clone() for parameter in own]
    Adam(own, (0.5, 0.9), 1e-8).step([None] * 3, torch.tensor(1.0))
    assert all(torch.equal(one, other) for one, other in zip(own, before, strict=True))


def test_a_gradient_may_lie_in_memory_as_it_likes() -> None:
    weight = torch.randn(4, 3, 2, 2)
    lying = [
        nn.Parameter(weight.clone()),
        nn.Parameter(weight.clone().to(memory_format=torch.channels_last)),
    ]
    gradient = torch.randn(4, 3, 2, 2)
    for parameter in lying:
        Adam([parameter], (0.0, 0.9), 1e-8).step([gradient], torch.tensor(0.1))
    assert torch.equal(*lying)


@pytest.mark.parametrize("broken", ["missing", "shape"])
def test_a_state_of_other_networks_is_refused(broken: str) -> None:
    adam = Adam(parameters(), (0.5, 0.9), 1e-8)
    state = {name: tensor.clone() for name, tensor in adam.state().items()}
    if broken == "missing":
        del state["0.mean"]
    else:
        state["0.mean"] = torch.zeros(1, 4)  # would broadcast
    with pytest.raises((KeyError, ValueError)):
        adam.restore(state)
