"""The training loop as most people first write it: eager, fp32, and every loss read back.

It trains the same networks with the same objective, batch size and optimizer as genctl does.
"""

import torch
from torch import nn

from genctl.benchmark.image_dataset import ImageDataset, endless_batches
from genctl.config.build import build_model
from genctl.config.config import Config
from genctl.data.base import Images
from genctl.data.batch import Batch
from genctl.data.batch_noise import BatchNoise
from genctl.model import Model
from genctl.objectives.base import ForwardPass, Update


def with_torch_layers(model: Model) -> Model:
    """The same model with torch's own convolutions and memory format."""
    for layer in model.modules():
        for kind in (nn.Conv2d, nn.ConvTranspose2d):
            if isinstance(layer, kind):
                layer.__class__ = kind
    return model.to(memory_format=torch.contiguous_format)


class PlainLoop:
    """Trains the networks of a config without any of what makes genctl fast."""

    def __init__(self, config: Config, images: Images, device: torch.device, workers: int) -> None:
        self.config, self.device = config, device
        self.num_classes = len(images.classes)
        self.model = with_torch_layers(build_model(config, self.num_classes)).to(device).train()
        settings = config.optimizer
        self.optimizers = {
            role: torch.optim.Adam(
                network.parameters(),
                lr=settings.learning_rate_at(role, images=settings.warmup_images, progress=0.0),
                betas=settings.betas_of(role),
                eps=settings.eps,
            )
            for role, network in self.model.networks.items()
            if any(True for _ in network.parameters())
        }
        dataset = ImageDataset(images, config.condition)
        self.loader = endless_batches(dataset, config.training.batch_size, workers)
        self.updates = config.objective.updates()
        self.steps = 0

    def step(self) -> int:
        """Every update of the objective; returns the number of real images."""
        num_batches = max(update.repeats for update in self.updates)
        for number in range(num_batches):
            batch = self.batch()
            forward = self.config.objective.forward(self.model, batch)
            for update in self.updates:
                if number >= num_batches - update.repeats:
                    self.optimize(update, batch, forward)
        self.steps += 1
        return num_batches * self.config.training.batch_size

    def batch(self) -> Batch:
        """The next images, with noise."""
        real, condition_images, labels = (tensor.to(self.device) for tensor in next(self.loader))
        return Batch(
            z=torch.randn(len(real), self.model.z_dim, device=self.device),
            real=real,
            condition_images=condition_images,
            labels=labels,
            num_classes=self.num_classes,
            variant=self.config.objective.variant(self.steps),
            progress=torch.zeros((), device=self.device),
            noise=BatchNoise(0, self.steps, len(real), self.device),
        )

    def optimize(self, update: Update, batch: Batch, forward: ForwardPass) -> dict[str, float]:
        """One optimizer step; returns the losses as numbers."""
        optimizers = [self.optimizers[role] for role in update.roles if role in self.optimizers]
        terms = self.config.objective.terms(update, self.model, batch, forward)
        for optimizer in optimizers:
            optimizer.zero_grad()
        sum(terms.values(), torch.zeros((), device=self.device)).backward()
        for optimizer in optimizers:
            optimizer.step()
        return {name: term.item() for name, term in terms.items()}
