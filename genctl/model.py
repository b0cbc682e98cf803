"""The networks of one run by role, and their exponential moving average."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from genctl.conditions.base import Codes, Condition
from genctl.data.batch import Batch

INFERENCE_ROLES = ("generator", "encoder")
"""The roles that sampling and encoding need."""


class Model(nn.Module):
    """x = G(z, E(c)), and the other networks that the objective needs for training."""

    def __init__(
        self, condition: Condition, networks: Mapping[str, nn.Module], z_dim: int, precision: str
    ) -> None:
        """Put the networks together.

        Args:
            condition: what the encoder sees.
            networks: generator, encoder and the others, by role.
            z_dim: length of z.
            precision: ``training.precision``; sampling keeps to an explicit ``fp32``.
        """
        super().__init__()
        self.condition, self.z_dim, self.precision = condition, z_dim, precision
        self.networks = nn.ModuleDict(networks)

    def generate(self, z: Tensor, code: Tensor, steps: int = 1) -> Tensor:
        """z (B, z_dim), codes (B, code_dim) -> images (B, C, H, W) in about [-1, 1].

        Only the generator of a flow can take more than one of the ``steps``, each of them a pass.
        """
        several = (steps,) if steps > 1 else ()
        images: Tensor = self.networks["generator"](z, code, *several)
        return images

    def codes(self, batch: Batch) -> Codes:
        """The codes of a training batch."""
        return self.condition.codes(self.networks["encoder"], batch)

    def encode(self, inputs: Tensor) -> Tensor:
        """Encoder inputs (images or labels) -> codes (B, code_dim)."""
        codes: Tensor = self.networks["encoder"](inputs)
        return codes

    @property
    def critic(self) -> nn.Module:
        """(images, codes) -> scores and class logits (B, 1 + num_classes)."""
        return self.networks["critic"]

    @property
    def posterior(self) -> nn.Module:
        """(images, codes) -> mean and log variance of z."""
        return self.networks["posterior"]

    @contextmanager
    def frozen(self, role: str) -> Iterator[None]:
        """Compute no gradients of the weights of ``role`` inside the block."""
        self.networks[role].requires_grad_(False)
        try:
            yield
        finally:
            self.networks[role].requires_grad_(True)

    def parameter_counts(self) -> dict[str, int]:
        """The number of parameters of each role that has any; 0 for the usual ones without."""
        counts = dict.fromkeys(("generator", "critic", "encoder"), 0)
        for role, network in self.networks.items():
            count = sum(parameter.numel() for parameter in network.parameters())
            counts |= {role: count} if count else {}
        return counts


def to_device(model: Model, device: torch.device) -> Model:
    """Move a model to a device, with its weights in channels-last order for convolutions."""
    model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


class EMA:
    """The networks for inference, with exponential moving averages as weights: Yaz et al. 2019."""

    def __init__(self, model: Model) -> None:
        self.model = copy.deepcopy(model)
        for role in set(self.model.networks) - set(INFERENCE_ROLES):
            del self.model.networks[role]
        self.model.eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: Model, weight: Tensor) -> None:
        """Move every averaged weight towards the current one by ``weight`` (), 0 to 1."""
        current = model.state_dict()
        averaged, latest = [], []
        for name, tensor in self.model.state_dict().items():
            if tensor.is_floating_point():
                averaged.append(tensor)
                latest.append(current[name])
            else:  # BatchNorm's count of batches
                tensor.copy_(current[name])
        # latest + (averaged - latest) * (1 - weight): `_foreach_lerp_` launches a kernel for each.
        torch._foreach_sub_(averaged, latest)
        torch._foreach_mul_(averaged, 1 - weight)
        torch._foreach_add_(averaged, latest)
