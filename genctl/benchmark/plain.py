"""The training loop as everyone first writes it: eager, in fp32, reading back every loss.

It trains the same networks with the same objective, batch and optimizer as genctl does.
"""

import torch
from torch import Tensor, nn

from genctl.benchmark.pictures import Pictures, endless
from genctl.config.config import Config
from genctl.data.base import Images
from genctl.data.batch_noise import Draws
from genctl.model import Model
from genctl.objectives.base import Adversarial, Score, Terms, Turn
from genctl.training.batches import Batch


def plainly(model: Model) -> Model:
    """The same model with torch's own convolutions and memory format."""
    for layer in model.modules():
        for kind in (nn.Conv2d, nn.ConvTranspose2d):
            if isinstance(layer, kind):
                layer.__class__ = kind
    return model.to(memory_format=torch.contiguous_format)


class PlainScore(Score):
    """A critic that is asked about one batch after the other."""

    def each(self, *batches: Tensor) -> list[Tensor]:
        """The scores of several batches from a pass over each."""
        return [self(images) for images in batches]


class PlainLoop:
    """Trains the networks of a config without any of what makes genctl fast."""

    def __init__(self, config: Config, images: Images, device: torch.device, workers: int) -> None:
        self.config, self.device = config, device
        self.classes = len(images.classes)
        self.model = plainly(Model(config, self.classes)).to(device).train()
        optimizer = config.optimizer
        self.optimizers = {
            role: torch.optim.Adam(
                network.parameters(),
                lr=optimizer.rate(role, images=optimizer.warmup_images, progress=0.0),
                betas=(optimizer.encoder_betas if role == "encoder" else None) or optimizer.betas,
                eps=optimizer.epsilon,
            )
            for role, network in self.model.roles.items()
            if any(True for _ in network.parameters())
        }
        pictures = Pictures(images, config.condition)
        self.loaded = endless(pictures, config.training.batch_size, workers)
        self.turns = config.objective.turns()
        self.steps = 0

    def step(self) -> int:
        """Every turn of the objective once; returns the number of real images."""
        batches = [self.batch() for _ in range(max(turn.repeats for turn in self.turns))]
        for turn in self.turns:
            for batch in batches[-turn.repeats :]:
                self.play(turn, batch)
        self.steps += 1
        return len(batches) * self.config.training.batch_size

    def batch(self) -> Batch:
        """The next pictures, with noise."""
        real, shown, labels = (tensor.to(self.device) for tensor in next(self.loaded))
        return Batch(
            noise=torch.randn(len(real), self.model.z_width, device=self.device),
            real=real,
            shown=shown,
            labels=labels,
            classes=self.classes,
            variant=self.config.objective.variant(self.steps),
            progress=torch.zeros((), device=self.device),
            draws=Draws(0, self.steps, len(real), self.device),
        )

    def play(self, turn: Turn, batch: Batch) -> dict[str, float]:
        """One step of the learners of ``turn``; the losses as numbers."""
        learners = [self.optimizers[role] for role in turn.learners if role in self.optimizers]
        terms = self.terms(turn, batch)
        for optimizer in learners:
            optimizer.zero_grad()
        sum(terms.values(), torch.zeros((), device=self.device)).backward()
        for optimizer in learners:
            optimizer.step()
        return {name: term.item() for name, term in terms.items()}

    def terms(self, turn: Turn, batch: Batch) -> Terms:
        """The objective's formulas, without shared passes and frozen networks."""
        objective, model = self.config.objective, self.model
        if not isinstance(objective, Adversarial):
            return objective.terms(turn, model, batch)
        codes = batch.once("codes", lambda: model.codes(batch))
        fake = batch.once("fake", lambda: model.generate(batch.noise, codes.generator))
        score = PlainScore(model.critic, codes.critic, model.critic_classes)
        if turn.name == "critic":
            terms = objective.critic_terms(score, batch.real, fake.detach(), batch)
            return terms | model.condition.critic_terms(score, batch)
        return objective.generator_terms(score, batch.real, fake, batch) | codes.terms
