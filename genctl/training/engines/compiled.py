"""A step made into one program by torch's compiler, which fuses what lies between the products.

The step is first traced down to plain operations, the derivatives and second derivatives among
them: torch's compiler cannot differentiate twice by itself (PyTorch 2.15: "aot_autograd does not
currently support double backward").
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from genctl.training.engines.recorded import Recorded, Replay
from genctl.training.step import Terms


class Compiled(Recorded):
    """Runs wherever torch's compiler does; compiling takes minutes."""

    def record(self, work: Callable[[], Terms]) -> tuple[Terms, Replay]:
        """Trace while computing; the program is compiled when it is first replayed."""
        from torch.fx.experimental.proxy_tensor import make_fx

        found: list[Terms] = []

        def values() -> Tensor:
            found.append(work())
            return found[-1].values

        plain = {torch.ops.aten._fused_adam_.tensor_lr: _adam}
        traced = make_fx(values, decomposition_table=plain)()
        # What was traced is a program of its own; the tensors that were seen on the way are not
        # needed any more.
        names, result = found[0].names, found[0].values.clone()
        program = torch.compile(traced, fullgraph=True)

        @torch.no_grad()  # the program holds all derivatives
        def replay() -> Terms:
            return Terms(names, program())

        return Terms(names, result), replay


def _adam(
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    means: Sequence[Tensor],
    squares: Sequence[Tensor],
    _: Sequence[Tensor],
    steps: Sequence[Tensor],
    *,
    lr: Tensor,
    beta1: float,
    beta2: float,
    eps: float,
    **unused: Any,
) -> None:
    """What ``torch._fused_adam_`` does, in operations that a compiler can fuse."""
    for weight, gradient, mean, square, step in zip(
        parameters, gradients, means, squares, steps, strict=True
    ):
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = (square / (1 - beta2**step)).sqrt() + eps
        weight.sub_(lr / (1 - beta1**step) * mean / root)
