"""Adam against torch's own, and against algorithm 1 of the paper written out."""

import pytest
import torch
from torch import Tensor, nn

from genctl.training.adam import Adam


def random_parameters() -> list[nn.Parameter]:
    rng = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=rng)) for shape in ((3, 4), (5,), ())]


def random_gradients(step: int) -> list[Tensor | None]:
    """Gradients of very different sizes; the second is missing in every third step."""
    rng = torch.Generator().manual_seed(1000 + step)
    gradients = [torch.randn(shape, generator=rng) for shape in ((3, 4), (5,), ())]
    return [
        None if index == 1 and step % 3 == 0 else gradient * 10.0 ** (step % 5 - 2)
        for index, gradient in enumerate(gradients)
    ]


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.999), (0.0, 0.99), (0.0, 0.0)])
def test_steps_are_those_of_torch(betas: tuple[float, float]) -> None:
    ours, theirs = random_parameters(), random_parameters()
    adam = Adam(ours, betas, 1e-8)
    reference = torch.optim.Adam(theirs, betas=betas, eps=1e-8, fused=False, foreach=False)
    for step in range(200):
        learning_rate = 0.01 * (1 + step % 7)
        adam.step(random_gradients(step), torch.tensor(learning_rate))
        for parameter, gradient in zip(theirs, random_gradients(step), strict=True):
            parameter.grad = gradient
        reference.param_groups[0]["lr"] = learning_rate
        reference.step()
        for one, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_steps_are_those_of_the_paper() -> None:
    parameter = nn.Parameter(torch.tensor([1.0, -2.0]))
    adam = Adam([parameter], (0.9, 0.99), 1e-8)
    expected = parameter.detach().double()
    m, v = torch.zeros(2).double(), torch.zeros(2).double()
    for t in range(1, 21):
        gradient = torch.tensor([t, -0.1 * t]).double()
        adam.step([gradient.float()], torch.tensor(0.1))
        m = 0.9 * m + 0.1 * gradient
        v = 0.99 * v + 0.01 * gradient**2
        corrected_m, corrected_v = m / (1 - 0.9**t), v / (1 - 0.99**t)
        expected = expected - 0.1 * corrected_m / (corrected_v.sqrt() + 1e-8)
        torch.testing.assert_close(parameter.detach().double(), expected, rtol=1e-5, atol=1e-6)


def test_a_restored_optimizer_takes_the_same_steps() -> None:
    parameters, uninterrupted = random_parameters(), random_parameters()
    first = Adam(parameters, (0.5, 0.9), 1e-8)
    whole = Adam(uninterrupted, (0.5, 0.9), 1e-8)
    for step in range(10):
        for adam in (first, whole):
            adam.step(random_gradients(step), torch.tensor(0.01))
    second = Adam(parameters, (0.5, 0.9), 1e-8)
    second.restore({name: tensor.clone() for name, tensor in first.state().items()})
    for step in range(10, 20):
        for adam in (second, whole):
            adam.step(random_gradients(step), torch.tensor(0.01))
    assert all(map(torch.equal, parameters, uninterrupted))


def test_without_gradients_nothing_changes() -> None:
    parameters = random_parameters()
    Adam(parameters, (0.5, 0.9), 1e-8).step([None] * 3, torch.tensor(1.0))
    assert all(map(torch.equal, parameters, random_parameters()))


def test_parameters_and_gradients_may_have_different_strides() -> None:
    weight, gradient = torch.randn(4, 3, 2, 2), torch.randn(4, 3, 2, 2)
    contiguous = nn.Parameter(weight.clone())
    channels_last = nn.Parameter(weight.clone().to(memory_format=torch.channels_last))
    for parameter in (contiguous, channels_last):
        Adam([parameter], (0.0, 0.9), 1e-8).step([gradient], torch.tensor(0.1))
    assert torch.equal(contiguous, channels_last)


def test_a_state_that_does_not_fit_is_refused() -> None:
    adam = Adam(random_parameters(), (0.5, 0.9), 1e-8)
    missing = adam.state()
    del missing["0.exp_avg"]
    with pytest.raises(KeyError):
        adam.restore(missing)
    with pytest.raises(ValueError, match="has shape"):
        adam.restore(adam.state() | {"0.exp_avg": torch.zeros(1, 4)})  # would broadcast
