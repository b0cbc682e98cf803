"""Adam: Kingma and Ba 2014, algorithm 1, as one fused call for all parameters.

`torch.optim.Adam` computes the same, which a test checks, but its first step imports torch's
compiler: 1.2 to 1.8 s at the start of every run (two cores of a Xeon, torch 2.15, 2026-11-26).
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn


class Adam:
    """Running averages of the gradients and their squares, and the step that follows from them."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], betas: tuple[float, float], eps: float
    ) -> None:
        self.parameters = list(parameters)
        self.betas, self.eps = betas, eps
        self.averages = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.squared_averages = [torch.zeros_like(parameter) for parameter in self.parameters]
        device = self.parameters[0].device
        self.steps = [torch.zeros((), device=device) for _ in self.parameters]

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor | None], learning_rate: Tensor) -> None:
        """Update every parameter that has a gradient.

        Args:
            gradients: one for each of ``parameters``, or None.
            learning_rate: () float32 on the parameters' device.
        """
        chosen = [i for i, gradient in enumerate(gradients) if gradient is not None]
        if not chosen:
            return
        steps = [self.steps[i] for i in chosen]
        torch._foreach_add_(steps, 1)
        torch._fused_adam_(
            [self.parameters[i] for i in chosen],
            [_with_strides_of(self.parameters[i], gradients[i]) for i in chosen],
            [self.averages[i] for i in chosen],
            [self.squared_averages[i] for i in chosen],
            [],
            steps,
            lr=learning_rate,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=0.0,
            eps=self.eps,
            amsgrad=False,
            maximize=False,
        )

    def state(self) -> dict[str, Tensor]:
        """All tensors that a checkpoint needs, by name."""
        kept = {"exp_avg": self.averages, "exp_avg_sq": self.squared_averages, "step": self.steps}
        return {
            f"{i}.{name}": tensor
            for name, values in kept.items()
            for i, tensor in enumerate(values)
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from what ``state`` returned.

        Raises:
            KeyError: a tensor is missing.
            ValueError: a tensor has another shape.
        """
        for name, tensor in self.state().items():
            if state[name].shape != tensor.shape:
                raise ValueError(f"{name} has shape {tuple(state[name].shape)}")
            tensor.copy_(state[name])


def _with_strides_of(parameter: Tensor, gradient: Tensor | None) -> Tensor:
    """The gradient in the memory order of the parameter, which the fused call relies on."""
    assert gradient is not None
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)
