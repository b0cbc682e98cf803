"""The training step of genctl, without a run directory and without an end."""

import torch

from genctl.common.devices import flush_denormals, restored_threads
from genctl.common.reporting import Reporter
from genctl.config.build import build_model
from genctl.config.config import Config
from genctl.data.base import Images
from genctl.model import to_device
from genctl.training.state import State
from genctl.training.threads import known_threads, measure_threads
from genctl.training.trainer import Trainer, TrainingServices


class GenctlLoop:
    """Takes the steps that ``genctl train`` takes."""

    def __init__(
        self,
        config: Config,
        images: Images,
        device: torch.device,
        precision: str,
        reporter: Reporter,
    ) -> None:
        model = to_device(build_model(config, len(images.classes)), device)
        state = State(config.optimizer, model)
        services = TrainingServices(precision, reporter)
        self.trainer = Trainer(config, state, images.to(device), services)
        with flush_denormals():
            self.threads = known_threads(config.training.threads, device) or measure_threads(
                self.trainer.engine.step, self.trainer.position(progress=0.0)
            )

    def step(self) -> int:
        """Every update of the objective; returns the number of real images."""
        with flush_denormals(), restored_threads():
            torch.set_num_threads(self.threads.number)
            self.trainer.take_step(progress=0.0)
        return self.trainer.images_per_step
