"""A problem with a known answer: from one normal distribution to another.

The data are images of 8x8 with a mean, three patterns of known deviations, and a little noise. The
shortest way from z to them keeps every z on its side, so that samples have the mean and covariance
of the data, and correlate with z along each pattern.
"""

import pytest
import torch
from torch import Tensor

from genctl.config.build import build_model
from genctl.config.config import Config
from genctl.data.base import Images
from genctl.networks.layers.transport import smoothest_patterns
from genctl.training.state import State
from genctl.training.trainer import Trainer, TrainingServices
from tests.support.recorder import Recorder
from tests.support.tiny import tiny

PATTERNS = smoothest_patterns(4, 1, 8).flatten(1)[1:]  # (3, 64), all without the constant one
DEVIATIONS = torch.tensor([2.0, 1.0, 0.5])
MEAN, NOISE = 0.2, 0.1
SETTINGS = (
    "condition.kind=none",
    "networks.channels=[32, 64]",
    "networks.style_dim=64",
    "networks.critic_channels=[32]",
    "networks.critic_hidden_dim=64",
    "training.batch_size=64",
    "training.ema_half_life=5000",
    "optimizer.learning_rate=2e-3",
    "optimizer.schedule=linear",
)
GAN = ("objective.critic_cross_entropy_weight=0", "optimizer.betas=[0.0, 0.99]")
FLOW = ("optimizer.betas=[0.9, 0.99]",)
OBJECTIVES = {
    "adversarial_flow": ("objective.kind=adversarial_flow", *GAN),
    "meanflow, improved": ("objective.kind=meanflow", *FLOW),
    "meanflow, split": ("objective.kind=meanflow", "objective.form=split", *FLOW),
}


def gaussian_images(count: int = 20_000) -> Images:
    random = torch.Generator().manual_seed(0)
    amounts = torch.randn(count, 3, generator=random) * DEVIATIONS
    values = MEAN + amounts @ PATTERNS + NOISE * torch.randn(count, 64, generator=random)
    pixels = ((values.clamp(-1, 1) + 1) * 127.5).round().byte().view(count, 1, 8, 8)
    return Images(pixels, torch.zeros(count).long(), ())


def trained_generator(config: Config, steps: int) -> torch.nn.Module:
    """The averaged generator after a training on the images above."""
    state = State(config.optimizer, build_model(config, 0))
    state.model.train()
    trainer = Trainer(config, state, gaussian_images(), TrainingServices("fp32", Recorder()))
    for step in range(steps):
        trainer.take_step(step / steps)
    return state.ema.model.networks["generator"]


def amounts(images: Tensor) -> Tensor:
    """How much of each pattern images (B, 64) contain, (B, 3)."""
    return (images - MEAN) @ PATTERNS.T


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_samples_have_the_mean_and_covariance_of_the_data(objective: str) -> None:
    config = tiny(*SETTINGS, *OBJECTIVES[objective], family="unet")
    generator = trained_generator(config, steps=600)
    z = torch.randn(5000, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        samples = generator(z, torch.empty(5000, 0)).flatten(1)
    found = amounts(samples)
    assert samples.mean().item() == pytest.approx(MEAN, abs=0.05)
    assert found.mean(0).abs().max() < 0.3
    torch.testing.assert_close(found.std(0), DEVIATIONS, rtol=0.2, atol=0.2)
    correlations = torch.corrcoef(torch.cat([found, amounts(z)], dim=1).T)
    within, across = correlations[:3, :3], correlations[:3, 3:]
    assert (within - torch.eye(3)).abs().max() < 0.15  # the covariance has no other entries
    # The shortest way; the shallowest pattern is worth the least of it.
    assert across.diagonal()[:2].min() > 0.8
    assert across.diagonal()[2] > 0.5
    rest = samples - MEAN - found @ PATTERNS
    assert rest.std().item() == pytest.approx(NOISE, abs=0.06)
