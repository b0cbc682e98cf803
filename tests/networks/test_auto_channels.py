"""Channels that follow the image size."""

import pytest
import torch

from genctl.config import config as configs
from genctl.data.base import Shape
from genctl.networks.auto_channels import WORDS
from genctl.networks.base import Networks
from genctl.networks.dcgan import Dcgan
from genctl.networks.resnet import Resnet

SIZES = (8, 16, 32, 64, 128, 256)


def words(kind: str, word: str) -> Networks:
    if kind == "resnet":
        return Resnet.model_validate({"channels": word, "encoder_channels": word})
    names = ("generator_channels", "critic_channels", "encoder_channels")
    return Dcgan.model_validate({"encoder": "strided", **dict.fromkeys(names, word)})


def test_the_defaults_for_32_pixels_are_those_of_the_original_design() -> None:
    dcgan, resnet = Dcgan().for_size(32), Resnet().for_size(32)
    assert dcgan.generator_channels == (256, 128, 64)
    assert dcgan.critic_channels == (64, 128, 256)
    assert dcgan.encoder_channels == (64, 128, 256, 512)
    assert resnet.channels == resnet.encoder_channels == (96, 96, 48, 24)


def test_small_networks_are_those_of_the_presets_at_32_pixels_and_follow_the_size() -> None:
    small = Dcgan(generator_channels="small", critic_channels="small")
    mnist = configs.load("mnist_cgan").networks
    assert isinstance(mnist, Dcgan)
    assert small.for_size(32).generator_channels == mnist.generator_channels
    assert small.for_size(32).critic_channels == mnist.critic_channels
    assert small.for_size(256).generator_channels == (256, 256, 256, 128, 64, 32)


@pytest.mark.parametrize("kind", ["dcgan", "resnet"])
@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("size", SIZES)
def test_words_fit_every_size(kind: str, word: str, size: int) -> None:
    networks, shape = words(kind, word), Shape(1, size)
    assert networks.problems(size) == {}
    if size <= 32:
        images = networks.build_generator(shape, 0)(
            torch.zeros(2, networks.z_dim_for(shape)), torch.zeros(2, 0)
        )
        assert images.shape == (2, 1, size, size)
        assert networks.build_critic(shape, 0, 0)(images, torch.zeros(2, 0)).shape == (2, 1)
        assert networks.build_encoder(shape, 7)(images).shape == (2, 7)


def test_a_config_spells_words_out() -> None:
    text = "data: {kind: digits, image_size: 64}\nnetworks: {kind: dcgan, critic_channels: small}\n"
    config = configs.parse(text, "file.yaml")
    assert "critic_channels: [32, 64, 128, 256]" in configs.dump(config)
    assert configs.parse(configs.dump(config), "again.yaml") == config
    assert configs.Config.model_validate_json(config.model_dump_json()) == config
