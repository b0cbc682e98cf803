"""The layers of the original design; sizes and initialization of all families of networks."""

import pytest
import torch
from torch import nn
from torch.nn.functional import batch_norm

from genctl.data.base import Shape
from genctl.networks.base import Networks
from genctl.networks.dcgan import Dcgan
from genctl.networks.layers.dcgan import Generator
from genctl.networks.layers.encoders import ImageEncoder, LabelEncoder
from genctl.networks.layers.normalize import normalize
from genctl.networks.layers.projection import ProjectionHead
from genctl.networks.layers.random_affine import random_affine
from genctl.networks.layers.resnet import Block, Resample
from genctl.networks.resnet import Resnet
from genctl.networks.unet import Unet

COLOUR = Shape(channels=3, size=32)
SIZES = (8, 16, 32, 64)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def layers(network: nn.Module) -> list[str]:
    """The printed form of every module that has no modules inside."""
    return [str(module) for module in network.modules() if not list(module.children())]


def family(kind: str, size: int) -> Networks:
    """Small networks of a kind for images of a size."""
    doublings = size.bit_length() - 3
    if kind == "dcgan":
        channels = (8, 6, 4, 4)[:doublings]
        return Dcgan(
            z_dim=5,
            generator_channels=channels,
            critic_channels=channels[::-1],
            critic_hidden_dim=6,
            encoder_channels=(4, 6),
        )
    if kind == "unet":
        return Unet(
            channels=(4, 6)[: doublings + 1],
            style_dim=6,
            critic_channels=(4, 4, 6, 8)[:doublings],
            critic_hidden_dim=6,
            encoder_channels=(4, 6),
        )
    channels = (8, 6, 4, 4, 4)[: doublings + 1]
    return Resnet(z_dim=5, channels=channels, encoder_channels=channels)


# -- the original design --------------------------------------------------------------------------


def test_the_unconditional_generator_is_the_original_one() -> None:
    generator = Dcgan().build_generator(COLOUR, 0)
    expected = 100 * 256 * 16 + 2 * 256 + 256 * 128 * 16 + 2 * 128 + 128 * 64 * 16 + 2 * 64
    assert count(generator) == expected + 64 * 3 * 16 == 1_068_928
    assert isinstance(generator, Generator)
    assert str(generator.first) == "ConvTranspose2d(100, 256, kernel_size=(4, 4), stride=(1, 1), " \
        "bias=False)"  # fmt: skip
    doubling = "kernel_size=(4, 4), stride=(2, 2), padding=(1, 1), bias=False)"
    assert [str(layer) for layer in generator.up] == [
        f"ConvTranspose2d(256, 128, {doubling}",
        f"ConvTranspose2d(128, 64, {doubling}",
        f"ConvTranspose2d(64, 3, {doubling}",
    ]
    assert [norm.num_features for norm in generator.norms] == [256, 128, 64]


def test_with_channels_at_the_image_size_a_3x3_layer_makes_the_image() -> None:
    generator = Dcgan(generator_channels=(256, 128, 64, 16)).build_generator(COLOUR, 0)
    assert isinstance(generator, Generator)
    assert [str(layer) for layer in generator.up[2:]] == [
        "ConvTranspose2d(64, 16, kernel_size=(4, 4), stride=(2, 2), padding=(1, 1), bias=False)",
        "ConvTranspose2d(16, 3, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)",
    ]
    assert [norm.num_features for norm in generator.norms] == [256, 128, 64, 16]
    assert generator(torch.randn(2, 100), torch.empty(2, 0)).shape == (2, 3, 32, 32)


def test_the_conditional_generator_takes_z_and_code_together() -> None:
    generator = Dcgan().build_generator(COLOUR, 512)
    assert isinstance(generator, Generator)
    assert generator.first.in_channels == 612
    assert count(generator) == 1_068_928 + 512 * 256 * 16


def test_the_encoder_is_the_original_one() -> None:
    encoder = Dcgan().build_encoder(COLOUR, 512)
    expected = 3 * 64 * 9 + (64 * 128 + 128 * 256 + 256 * 512) * 16
    assert count(encoder) == expected == 2_754_240
    halving = "kernel_size=(4, 4), stride=(2, 2), padding=(1, 1), bias=False)"
    assert layers(encoder) == [
        "Conv2d(3, 64, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)",
        "ReLU(inplace=True)",
        f"Conv2d(64, 128, {halving}",
        "ReLU(inplace=True)",
        f"Conv2d(128, 256, {halving}",
        "ReLU(inplace=True)",
        f"Conv2d(256, 512, {halving}",
        "ReLU(inplace=True)",
        "AdaptiveAvgPool2d(output_size=1)",
        "Flatten(start_dim=1, end_dim=-1)",
    ]
    with_head = ImageEncoder(encoder, 512, num_classes=10)
    assert count(with_head) == 2_754_240 + 512 * 10 + 10


def test_the_generator_applies_its_layers_one_after_the_other() -> None:
    generator = Dcgan(generator_channels=(8, 6, 4)).build_generator(COLOUR, 7)
    assert isinstance(generator, Generator)
    z, code = torch.randn(4, 100), torch.randn(4, 7)
    images = torch.cat([z, code], 1)[:, :, None, None]
    for layer, norm in zip([generator.first, *generator.up], generator.norms, strict=False):
        assert isinstance(norm, nn.BatchNorm2d)
        images = torch.relu(batch_norm(
            layer(images), None, None, norm.weight, norm.bias, training=True, eps=norm.eps
        ))  # fmt: skip
    expected = torch.tanh(generator.up[-1](images))
    torch.testing.assert_close(generator(z, code), expected, rtol=1e-4, atol=1e-5)


def test_its_first_matrix_product_is_the_transposed_convolution() -> None:
    generator = Dcgan(generator_channels=(8, 6, 4)).build_generator(COLOUR, 0)
    assert isinstance(generator, Generator)
    z = torch.randn(3, 100)
    seen: list[torch.Tensor] = []
    generator.norms[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    generator(z, torch.empty(3, 0))
    torch.testing.assert_close(seen[0], generator.first(z[:, :, None, None]))


# -- every family ---------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["dcgan", "resnet", "unet"])
def test_all_roles_work_at_every_size(kind: str, size: int, channels: int) -> None:
    networks, shape = family(kind, size), Shape(channels, size)
    assert networks.problems(size) == {}
    z_dim = networks.z_dim_for(shape)
    z, code = torch.randn(3, z_dim), normalize(torch.randn(3, 6))
    images = networks.build_generator(shape, 6)(z, code)
    assert images.shape == (3, channels, size, size)
    assert networks.build_critic(shape, 6, 0)(images, code).shape == (3, 1)
    assert networks.build_critic(shape, 6, 4)(images, code).shape == (3, 5)
    assert networks.build_encoder(shape, 6)(images).shape == (3, 6)
    if kind == "unet":
        return
    mean, log_variance = networks.build_posterior(shape, 6)(images, code)
    assert mean.shape == log_variance.shape == (3, 5)


@pytest.mark.parametrize("kind", ["dcgan", "resnet", "unet"])
def test_channels_that_do_not_fit_the_image_size_are_refused(kind: str) -> None:
    found = family(kind, 16).problems(32)
    assert found
    assert all("32x32 images" in why for why in found.values())


def test_an_encoder_with_too_many_halvings_is_refused() -> None:
    networks = Dcgan(generator_channels=(8,), critic_channels=(8,), encoder_channels=(4, 4, 4, 4))
    assert "encoder_channels" in networks.problems(8)


def test_only_bounded_generators_stay_within_range() -> None:
    z, code = 100 * torch.randn(16, 5), torch.empty(16, 0)
    shape = Shape(1, 16)
    for networks in (family("dcgan", 16), family("resnet", 16).model_copy(update={"tanh": True})):
        assert networks.bounded
        assert networks.build_generator(shape, 0)(z, code).abs().max() <= 1
    unbounded = family("resnet", 16)
    assert not unbounded.bounded
    assert unbounded.build_generator(shape, 0)(z, code).abs().max() > 1


@pytest.mark.parametrize("kind", ["dcgan", "resnet", "unet"])
def test_with_a_code_of_zeros_the_score_is_for_the_image_alone(kind: str) -> None:
    critic = family(kind, 16).build_critic(Shape(1, 16), 6, 0)
    images = torch.randn(4, 1, 16, 16)
    head = critic.get_submodule("head")
    alone = head.get_submodule("head")(critic.get_submodule("body")(images))
    assert torch.equal(critic(images, torch.zeros(4, 6)), alone)
    assert not torch.allclose(critic(images, normalize(torch.randn(4, 6))), alone)


def test_the_score_includes_a_scaled_inner_product_of_code_and_features() -> None:
    head = ProjectionHead(3, 4, 2)
    features, code = torch.randn(2, 3), torch.randn(2, 4)
    with torch.no_grad():
        expected = torch.stack([
            head.head.weight[0] @ f + head.head.bias[0] + (head.projection @ c) @ f / 4**0.5
            for f, c in zip(features, code, strict=True)
        ])  # fmt: skip
        logits = features @ head.head.weight[1:].T + head.head.bias[1:]
        torch.testing.assert_close(head(features, code)[:, 0], expected)
        torch.testing.assert_close(head(features, code)[:, 1:], logits)


def test_with_conditional_batchnorm_z_reaches_every_layer() -> None:
    networks = Dcgan(z_dim=5, generator_channels=(8, 6), conditional_batchnorm=True)
    generator = networks.build_generator(Shape(1, 16), 0)
    assert isinstance(generator, Generator)
    nn.init.zeros_(generator.first.weight)  # z then acts through the BatchNorm layers only
    style = generator.norms[0].get_submodule("style")
    for parameter in style.parameters():
        nn.init.normal_(parameter)
    images = generator(torch.randn(4, 5), torch.empty(4, 0))
    assert not torch.allclose(images[0], images[1])


def test_the_generators_first_weights_deviate_as_asked_for() -> None:
    networks = Dcgan(generator_channels=(64, 32), generator_initialization_std=0.003)
    generator = networks.build_generator(Shape(1, 16), 0)
    weights = [p for p in generator.parameters() if p.ndim == 4]
    assert len(weights) == 3
    for weight in weights:
        assert weight.std().item() == pytest.approx(0.003, rel=0.1)
        assert abs(weight.mean().item()) < 0.001


def test_a_spectral_critic_has_layers_of_spectral_norm_one() -> None:
    networks = Dcgan(
        generator_channels=(8,), critic_channels=(8,), critic_hidden_dim=6,
        critic_normalization="spectral", encoder_channels=(4,),
    )  # fmt: skip
    critic = networks.build_critic(Shape(1, 8), 0, 0)
    for _ in range(200):
        critic(torch.randn(2, 1, 8, 8), torch.empty(2, 0))
    weight = critic.get_submodule("body.0").weight
    assert isinstance(weight, torch.Tensor)
    norm = torch.linalg.matrix_norm(weight.flatten(1), ord=2)
    assert norm.item() == pytest.approx(1, rel=1e-3)


# -- the residual family --------------------------------------------------------------------------


def test_a_residual_block_starts_as_the_identity() -> None:
    block = Block(4, depth=3)
    assert not block.last.weight.any()
    features = torch.randn(2, 4, 8, 8)
    assert torch.equal(block(features), features)


def test_every_residual_block_starts_as_the_identity() -> None:
    networks = family("resnet", 32)
    for network in (networks.build_generator(COLOUR, 0), networks.build_critic(COLOUR, 0, 0)):
        blocks = [module for module in network.modules() if isinstance(module, Block)]
        assert len(blocks) == 4
        assert not any(weight.any() for block in blocks for weight in block.last.parameters())


def test_the_residual_family_has_no_normalization() -> None:
    networks = family("resnet", 32)
    roles = (
        networks.build_generator(COLOUR, 2),
        networks.build_critic(COLOUR, 2, 3),
        networks.build_encoder(COLOUR, 2),
    )
    for network in roles:
        assert not [layer for layer in layers(network) if "Norm" in layer]
        assert not list(network.buffers())


def test_resampling_is_bilinear() -> None:
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    doubled = Resample(1, 1, upsample=True)(ramp)
    assert doubled[0, 0, 0].tolist() == [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]
    halved = Resample(1, 1, upsample=False)(ramp)
    assert halved[0, 0].tolist() == [[0.5, 2.5], [0.5, 2.5]]


def test_an_untrained_residual_generator_has_images_of_about_unit_variance() -> None:
    torch.manual_seed(0)
    networks = Resnet(z_dim=64, channels=(64, 64, 64), encoder_channels=(64, 64, 64))
    images = networks.build_generator(Shape(3, 16), 0)(torch.randn(64, 64), torch.empty(64, 0))
    assert 0.3 < images.std() < 3


# -- codes and augmentation -----------------------------------------------------------------------


def test_normalized_codes_lie_on_a_sphere() -> None:
    code = normalize(torch.randn(5, 7) * torch.tensor([1e-2, 1, 10, 1e3, 1e6])[:, None])
    torch.testing.assert_close(code.norm(dim=1), torch.full((5,), 7**0.5), rtol=1e-3, atol=0)
    assert normalize(torch.zeros(2, 7)).isfinite().all()
    assert normalize(torch.randn(2, 7).bfloat16()).dtype == torch.float32


def test_the_label_encoder_looks_codes_up_in_a_table() -> None:
    encoder = LabelEncoder(3, 4)
    codes = encoder(torch.tensor([2, 0, 2]))
    torch.testing.assert_close(codes, normalize(encoder.table[[2, 0, 2]]))


def test_an_affine_transformation_by_nothing_changes_nothing() -> None:
    images = torch.randn(3, 1, 8, 8)
    unchanged = random_affine(images, 0, 0, 0, torch.rand(3, 4))
    torch.testing.assert_close(unchanged, images, rtol=0, atol=1e-5)


def test_translations_differ_between_images_and_stay_within_the_limit() -> None:
    dot = torch.zeros(200, 1, 33, 33)
    dot[:, :, 16, 16] = 1
    uniform = torch.rand(200, 4, generator=torch.Generator().manual_seed(0))
    translated = random_affine(dot, degrees=0, translate=0.1, scale=0, uniform=uniform)
    positions = torch.arange(33.0) - 16
    mass = translated.sum((1, 2, 3))
    across = (translated.sum((1, 2)) * positions).sum(1) / mass
    down = (translated.sum((1, 3)) * positions).sum(1) / mass
    for shift in (across, down):
        assert 3 < shift.abs().max() <= 3.3 + 1e-3  # a tenth of 33 pixels
        assert len(shift.unique()) > 150


def test_a_rotation_turns_by_its_angle_and_scaling_enlarges() -> None:
    bar = torch.zeros(1, 1, 33, 33)
    bar[:, :, 16, 8:25] = 1
    largest = torch.tensor([[1.0, 0.5, 0.5, 0.5]])  # the largest angle; no other change
    upright = random_affine(bar, degrees=90, translate=0, scale=0, uniform=largest)
    torch.testing.assert_close(upright, bar.mT, rtol=0, atol=1e-4)
    largest = torch.tensor([[0.5, 1.0, 0.5, 0.5]])
    doubled = random_affine(bar, degrees=0, translate=0, scale=1.0, uniform=largest)
    assert float(doubled[0, 0, 16].sum()) == pytest.approx(33)
    assert float(doubled.sum()) == pytest.approx(4 * float(bar.sum()), rel=0.1)


def test_the_scale_of_the_code_is_that_of_its_share_in_the_generator() -> None:
    z, code = torch.randn(3, 5), torch.randn(3, 4)
    scaled = Dcgan(z_dim=5, generator_channels=(8, 6, 4), code_scale=0.1).build_generator(COLOUR, 4)
    plain = Dcgan(z_dim=5, generator_channels=(8, 6, 4)).build_generator(COLOUR, 4)
    plain.load_state_dict(scaled.state_dict())
    torch.testing.assert_close(scaled(z, code), plain(z, 0.1 * code))
