"""From a config to its model."""

from collections.abc import Callable, Iterable
from functools import partial

import torch
from torch import nn

from genctl.common.rng import derive_seed
from genctl.config.config import Config
from genctl.model import Model


def build_model(config: Config, num_classes: int, roles: Iterable[str] | None = None) -> Model:
    """A model with newly initialized networks.

    Args:
        config: the config.
        num_classes: the number of classes in the data; 0 for data without labels.
        roles: which networks to build; by default those of the objective and the encoder.
    """
    condition, family, objective = config.condition, config.networks, config.objective
    shape, code_dim = config.data.shape, condition.code_dim
    num_logits = sum(condition.attribute_sizes(config.data, num_classes))
    builders: dict[str, Callable[[], nn.Module]] = {
        "generator": lambda: family.build_generator(shape, code_dim),
        "critic": lambda: family.build_critic(
            shape, condition.critic_code_dim(num_logits), objective.critic_classes(num_logits)
        ),
        "posterior": lambda: family.build_posterior(shape, code_dim),
        "encoder": lambda: condition.build_encoder(family, shape, num_logits),
    }
    builders |= {
        role: partial(objective.build_role, role, config.z_dim, shape)
        for role in objective.own_roles
    }
    networks = {}
    for role in roles or (*objective.roles, *objective.own_roles, "encoder"):
        # Every role has its own seed, so that changing the critic leaves the generator as it was.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(config.training.seed, "init", role))
            networks[role] = builders[role]()
    return Model(condition, networks, config.z_dim, config.training.precision)
