"""The networks of one run by their role, and the average that is sampled from."""

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from genctl.common.rng import derive
from genctl.conditions.base import Codes
from genctl.config.config import Config
from genctl.training.batches import Batch

DRAWING = ("generator", "encoder")
"""The roles that sampling and encoding need."""


class Model(nn.Module):
    """x = G(z, E(c)), with whatever else the objective needs to train the two."""

    def __init__(self, config: Config, classes: int, roles: Iterable[str] | None = None) -> None:
        """Build the networks of ``roles``, by default all that the objective asks for."""
        super().__init__()
        self.condition = config.condition
        self.z_width = config.networks.z_width
        self.precision = config.training.precision
        shape, width = config.data.shape, config.condition.code_width
        told = config.condition.critic_width(classes)
        self.critic_classes = config.condition.critic_classes(classes)
        builders = {
            "generator": lambda: config.networks.generator(shape, width),
            "critic": lambda: config.networks.critic(shape, told, self.critic_classes),
            "posterior": lambda: config.networks.posterior(shape, width),
            "encoder": lambda: config.condition.encoder(config.networks, shape, classes),
        }
        self.roles = nn.ModuleDict()
        for role in roles or (*config.objective.roles, "encoder"):
            # Each role has its own randomness, so that another critic leaves the generator as is.
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(derive(config.training.seed, "init", role))
                self.roles[role] = builders[role]()

    def generate(self, z: Tensor, code: Tensor) -> Tensor:
        """z (B, z), codes (B, width) -> images (B, C, H, W) in about [-1, 1]."""
        images: Tensor = self.roles["generator"](z, code)
        return images

    def codes(self, batch: Batch) -> Codes:
        """The codes of what a training batch shows."""
        return self.condition.codes(self.roles["encoder"], batch)

    def encode(self, shown: Tensor) -> Tensor:
        """What is shown (images or labels) -> codes (B, width)."""
        codes: Tensor = self.roles["encoder"](shown)
        return codes

    @property
    def critic(self) -> nn.Module:
        """(images, what it is told) -> scores and class logits (B, 1 + classes)."""
        return self.roles["critic"]

    @property
    def posterior(self) -> nn.Module:
        """(images, codes) -> mean and logarithm of the variance of z."""
        return self.roles["posterior"]

    @contextmanager
    def frozen(self, role: str) -> Iterator[None]:
        """Spend no work on the gradients of ``role`` for what is computed in the block."""
        self.roles[role].requires_grad_(False)
        try:
            yield
        finally:
            self.roles[role].requires_grad_(True)

    def parameter_counts(self) -> dict[str, int]:
        """How many numbers each role learns; 0 for a role that is not there."""
        counts = dict.fromkeys(("generator", "critic", "encoder"), 0)
        for role, network in self.roles.items():
            counts[role] = sum(parameter.numel() for parameter in network.parameters())
        return counts


def placed(model: Model, device: torch.device) -> Model:
    """The model on a device, in the order of memory that convolutions like."""
    model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


class Average:
    """The drawing networks with exponentially averaged weights: Yaz et al. 2019."""

    def __init__(self, model: Model) -> None:
        self.model = copy.deepcopy(model)
        for role in set(self.model.roles) - set(DRAWING):
            del self.model.roles[role]
        self.model.eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: Model, share: Tensor) -> None:
        """Let the current weights be ``share`` (), 0 to 1, of the average."""
        current = model.state_dict()
        averaged, latest = [], []
        for name, tensor in self.model.state_dict().items():
            if tensor.is_floating_point():
                averaged.append(tensor)
                latest.append(current[name])
            else:  # BatchNorm's count of batches
                tensor.copy_(current[name])
        torch._foreach_lerp_(averaged, latest, [share] * len(averaged))
