"""Adam: Kingma and Ba 2014, algorithm 1, in one fused call for all parameters.

`torch.optim.Adam` computes the same (a test compares them) but loads torch's compiler first,
which takes seconds that a short run does not have.
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn


class Adam:
    """Keeps running means of the gradients and of their squares, and takes steps."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], betas: tuple[float, float], epsilon: float
    ) -> None:
        self.parameters = list(parameters)
        self.betas, self.epsilon = betas, epsilon
        self.means = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in self.parameters]
        device = self.parameters[0].device
        self.steps = [torch.zeros((), device=device) for _ in self.parameters]

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor | None], rate: Tensor) -> None:
        """Move every parameter that has a gradient by about ``rate``.

        Args:
            gradients: one for each of ``parameters``, or None.
            rate: the step size, () float32 on the parameters' device.
        """
        chosen = [i for i, gradient in enumerate(gradients) if gradient is not None]
        if not chosen:
            return
        steps = [self.steps[i] for i in chosen]
        torch._foreach_add_(steps, 1)
        torch._fused_adam_(
            [self.parameters[i] for i in chosen],
            [_laid_out_as(self.parameters[i], gradients[i]) for i in chosen],
            [self.means[i] for i in chosen],
            [self.squares[i] for i in chosen],
            [],
            steps,
            lr=rate,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=0.0,
            eps=self.epsilon,
            amsgrad=False,
            maximize=False,
        )

    def state(self) -> dict[str, Tensor]:
        """Everything that is remembered, by name."""
        kept = {"mean": self.means, "square": self.squares, "step": self.steps}
        return {
            f"{i}.{name}": tensor
            for name, values in kept.items()
            for i, tensor in enumerate(values)
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up what ``state`` gave.

        Raises:
            KeyError: something is missing.
            ValueError: something has another shape.
        """
        for name, tensor in self.state().items():
            if state[name].shape != tensor.shape:
                raise ValueError(f"{name} has shape {tuple(state[name].shape)}")
            tensor.copy_(state[name])


def _laid_out_as(parameter: Tensor, gradient: Tensor | None) -> Tensor:
    """The gradient in the order of the parameter's memory, which is what the fused call goes by."""
    assert gradient is not None
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)
