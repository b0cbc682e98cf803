"""The U-Net that flows are trained with."""

import pytest
import torch

from genctl.common.errors import ConfigError
from genctl.data.base import Shape
from genctl.networks.layers.unet import UNet
from genctl.networks.unet import Unet
from tests.support.tiny import tiny

SETTINGS = Unet(channels=(4, 8, 8), style_dim=8)


def unet(code_dim: int = 0, channels: int = 3) -> UNet:
    """A network whose last layer is no longer zero."""
    torch.manual_seed(0)
    network = SETTINGS.build_generator(Shape(channels, 16), code_dim)
    assert isinstance(network, UNet)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return network


def test_z_has_the_shape_of_an_image() -> None:
    assert Unet().z_dim_for(Shape(1, 32)) == 1024
    assert tiny(family="unet").z_dim == 64


def test_an_untrained_generator_returns_z() -> None:
    network = SETTINGS.build_generator(Shape(3, 16), 2)
    z = torch.randn(2, 768)
    assert torch.equal(network(z, torch.randn(2, 2)).flatten(1), z)


@pytest.mark.parametrize("steps", [1, 3])
def test_the_generator_follows_the_velocity_from_time_1_to_0(steps: int) -> None:
    network, code = unet(code_dim=2), torch.randn(2, 2)
    z = torch.randn(2, 768)
    x = z.view(2, 3, 16, 16)
    for t in torch.linspace(1, 0, steps + 1)[:-1]:
        now, then = t.expand(2), (t - 1 / steps).clamp_min(0).expand(2)
        x = x - network.velocity(x, then, now, code) / steps
    torch.testing.assert_close(network(z, code, steps), x)


@pytest.mark.parametrize("which", ["x", "r", "t", "code"])
def test_the_velocity_depends_on(which: str) -> None:
    network = unet(code_dim=2)
    inputs = {
        "x": torch.randn(1, 3, 16, 16),
        "r": torch.tensor([0.2]),
        "t": torch.tensor([0.5]),
        "code": torch.randn(1, 2),
    }
    before = network.velocity(**inputs)
    inputs[which] = inputs[which] + 0.1
    assert not torch.allclose(network.velocity(**inputs), before)


def test_every_pixel_sees_every_other() -> None:
    network = unet(channels=1)
    x = torch.randn(1, 1, 16, 16, requires_grad=True)
    velocity = network.velocity(x, torch.zeros(1), torch.ones(1), torch.empty(1, 0))
    (gradient,) = torch.autograd.grad(velocity[0, 0, 0, 0], x)
    assert gradient.all()


def test_the_default_has_about_a_million_weights() -> None:
    network = Unet().build_generator(Shape(1, 32), 16)
    assert 0.8e6 < sum(weight.numel() for weight in network.parameters()) < 1.2e6


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("networks.channels=[4,4,4,4]", "in patches of 2 allow at most 3 channel counts, found 4"),
        ("networks.critic_channels=[4,4]", "need 1 channel counts, found 2"),
        ("networks.encoder_channels=[4,4,4,4]", "can be halved 3 times"),
        ("objective.kind=vae", "networks.kind: objective.kind vae needs dcgan, or resnet with"),
    ],
)
def test_what_cannot_be_is_refused(setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny(setting, family="unet")
