"""The training loop of genctl, without files and without an end."""

from pathlib import Path

import torch

from genctl.common.signals import Requests
from genctl.config.config import Config
from genctl.data.base import Images
from genctl.model import Model, placed
from genctl.runs.run import Run
from genctl.training.checkpoint import State
from genctl.training.services import Surroundings
from genctl.training.trainer import Trainer


class Nobody:
    """Who listens to a run that nobody listens to, and draws its curves."""

    def say(self, text: str) -> None:
        """Nothing."""

    warn = say

    def progress(self, doing: str, share: float) -> None:
        """Nothing."""

    def trained(self, trainer: Trainer, budget: object) -> None:
        """Nothing."""

    def write(self, images_seen: int, scalars: dict[str, float]) -> None:
        """Nothing."""

    def show(self, images_seen: int, grid: torch.Tensor) -> None:
        """Nothing."""


class OwnLoop:
    """Takes the steps that ``genctl train`` takes."""

    def __init__(
        self,
        config: Config,
        images: Images,
        device: torch.device,
        precision: str,
        folder: Path,
    ) -> None:
        model = placed(Model(config, len(images.classes)), device)
        around = Surroundings(precision, Requests(), Nobody(), None, Nobody())
        state = State(config, model)
        self.trainer = Trainer(config, state, images.to(device), images, Run(folder), around)

    def step(self) -> int:
        """Every turn of the objective once; returns the number of real images."""
        self.trainer.step(progress=0.0)
        return self.trainer.images_per_step
