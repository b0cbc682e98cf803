"""From torch modules to operations: one function for each kind of layer.

A function is chosen by the class of the module or by a base class, so that a layer that computes
the same in another way needs none of its own. ``page_model`` compares the outputs with torch's.
"""

from __future__ import annotations

from functools import singledispatch

import torch
from torch import Tensor, nn

from genctl.export.program import Features, Program, UnsupportedLayer
from genctl.networks.layers import dcgan, resnet
from genctl.networks.layers.encoders import ImageEncoder

EPS = 1e-8  # of networks.layers.normalize


@singledispatch
def convert(module: nn.Module, features: Features, program: Program) -> Features:
    """Append the operations of a module that reads ``features``; returns what it writes.

    Raises:
        UsageError: there is no operation for the module.
    """
    raise UnsupportedLayer(f"a layer {type(module).__name__}")


def convert_generator(module: nn.Module, z_dim: int, code_dim: int) -> Program:
    """The operations of a generator, whose inputs are z and the code.

    Raises:
        UsageError: there is no operation for one of its layers.
    """
    program = Program([Features(0, z_dim), Features(1, code_dim)])
    style = program.concatenate(program.inputs)
    if isinstance(module, dcgan.Generator):
        # The code is multiplied by its scale in the weights that it meets.
        scale = torch.ones(style.channels)
        scale[z_dim:] = module.code_scale
        _dcgan_generator(module, style, scale, program)
    elif isinstance(module, resnet.Generator):
        _resnet_generator(module, style, program)
    else:
        raise UnsupportedLayer(f"a generator {type(module).__name__}")
    return program


def convert_encoder(module: ImageEncoder, channels: int, size: int) -> Program:
    """The operations from an image to its code.

    Raises:
        UsageError: there is no operation for one of its layers.
    """
    program = Program([Features(0, channels, size)])
    code = convert(module.body, program.inputs[0], program)
    program.add("normalize", [code], code.channels * code.positions, values={"eps": EPS})
    return program


def convert_classifier(module: ImageEncoder, code_dim: int) -> Program:
    """The operations from a code to class logits."""
    program = Program([Features(0, code_dim)])
    convert(module.head, program.inputs[0], program)
    return program


def _dcgan_generator(
    module: dcgan.Generator, style: Features, scale: Tensor, program: Program
) -> None:
    first = module.first.weight.permute(2, 3, 1, 0)  # (4, 4, C, style_dim)
    features = program.linear(style, first.flatten(0, 2) * scale, None, size=len(first))
    for norm, up in zip(module.norms, module.up, strict=True):
        if isinstance(norm, dcgan.ConditionalBatchNorm2d):
            features = _conditional_batchnorm(norm, features, style, scale, program)
        else:
            features = convert(norm, features, program)
        features = program.activation(features, "leaky_relu")
        features = convert(up, features, program)
    program.activation(features, "tanh")


def _conditional_batchnorm(
    module: dcgan.ConditionalBatchNorm2d,
    features: Features,
    style: Features,
    style_scale: Tensor,
    program: Program,
) -> Features:
    """(x scale + shift) (1 + gain) + bias, as x (scale + scale gain) + (…), linear in the style."""
    scale, shift = _batchnorm(module.norm)
    gain, bias = (module.style.weight * style_scale).chunk(2)
    gain_at_zero, bias_at_zero = (part + 0 for part in module.style.bias.chunk(2))
    weight = torch.cat([scale[:, None] * gain, shift[:, None] * gain + bias])
    at_zero = torch.cat([scale * (1 + gain_at_zero), shift * (1 + gain_at_zero) + bias_at_zero])
    styles = program.linear(style, weight, at_zero)
    return program.add("modulate", [features, styles], features.channels, features.size)


def _resnet_generator(module: resnet.Generator, style: Features, program: Program) -> None:
    styles = convert(module.style, style, program)
    constant = module.constant.permute(1, 2, 0)  # (4, 4, C)
    size, _, channels = constant.shape
    tensors: dict[str, Tensor | None] = {"weight": constant.flatten(0, 1)}
    features = program.add("scale_constant", [styles], channels, size, tensors)
    features = convert(module.body, features, program)
    features = program.activation(features, "leaky_relu", resnet.SLOPE)
    convert(module.activation, convert(module.last, features, program), program)


@convert.register
def _(module: nn.Sequential, features: Features, program: Program) -> Features:
    for layer in module:
        features = convert(layer, features, program)
    return features


@convert.register
def _(module: nn.Identity, features: Features, program: Program) -> Features:
    return features


@convert.register
def _(module: resnet.Block, features: Features, program: Program) -> Features:
    inner = program.activation(features, "leaky_relu", resnet.SLOPE)
    inner = convert(module.first, inner, program)
    inner = program.activation(inner, "leaky_relu", resnet.SLOPE)
    residual = convert(module.last, inner, program)
    return program.add("add", [features, residual], features.channels, features.size)


@convert.register
def _(module: resnet.Resample, features: Features, program: Program) -> Features:
    if module.upsample:
        projected = convert(module.project, features, program)
        return program.add("upsample", [projected], projected.channels, 2 * projected.size)
    halved = program.add("average_pool", [features], features.channels, features.size // 2)
    return convert(module.project, halved, program)


@convert.register
def _(module: resnet.FeatureExtractor, features: Features, program: Program) -> Features:
    features = convert(module.body, convert(module.first, features, program), program)
    return convert(module.last, program.activation(features, "leaky_relu", resnet.SLOPE), program)


@convert.register
def _(module: nn.Conv2d, features: Features, program: Program) -> Features:
    kernel, stride, padding = _geometry(module)
    size = (features.size + 2 * padding - kernel) // stride + 1
    if module.groups > 1:
        if (module.groups, module.out_channels, size, padding) != (features.channels,) * 2 + (1, 0):
            raise UnsupportedLayer("a grouped convolution")
        weight = module.weight[:, 0].permute(1, 2, 0).flatten(0, 1)  # (positions, C)
        tensors = {"weight": weight, "bias": module.bias}
        return program.add("weighted_sum", [features], features.channels, 1, tensors)
    weight = module.weight.permute(0, 2, 3, 1).flatten(1)  # (F, kernel² C)
    tensors = {"weight": weight, "bias": module.bias}
    geometry = {"kernel": kernel, "stride": stride, "padding": padding}
    return program.add("convolution", [features], module.out_channels, size, tensors, geometry)


@convert.register
def _(module: nn.ConvTranspose2d, features: Features, program: Program) -> Features:
    kernel, stride, padding = _geometry(module)
    if module.groups > 1 or any(module.output_padding):
        raise UnsupportedLayer("a transposed convolution with groups or output_padding")
    size = (features.size - 1) * stride - 2 * padding + kernel
    weight = module.weight.permute(2, 3, 1, 0).flatten(0, 2)  # (kernel² F, C)
    tensors = {"weight": weight, "bias": module.bias}
    geometry = {"kernel": kernel, "stride": stride, "padding": padding}
    channels = module.out_channels
    return program.add("transposed_convolution", [features], channels, size, tensors, geometry)


@convert.register
def _(module: nn.Linear, features: Features, program: Program) -> Features:
    if features.size > 1:
        raise UnsupportedLayer("a linear layer for each position of an image")
    # A column belongs to a channel and a position; torch flattens channels first.
    weight = module.weight.unflatten(1, (features.channels, -1)).mT.flatten(1)
    return program.linear(features, weight, module.bias)


@convert.register
def _(module: nn.Flatten, features: Features, program: Program) -> Features:
    return Features(features.register, features.channels, positions=features.size**2)


@convert.register
def _(module: nn.AdaptiveAvgPool2d, features: Features, program: Program) -> Features:
    if module.output_size != 1:
        raise UnsupportedLayer("an average pooling to more than one number")
    return program.add("mean", [features], features.channels)


@convert.register
def _(module: nn.BatchNorm2d, features: Features, program: Program) -> Features:
    scale, shift = _batchnorm(module)
    program.scale_output(features, scale, shift)
    return features


@convert.register
def _(module: nn.ReLU, features: Features, program: Program) -> Features:
    return program.activation(features, "leaky_relu")


@convert.register
def _(module: nn.LeakyReLU, features: Features, program: Program) -> Features:
    return program.activation(features, "leaky_relu", module.negative_slope)


@convert.register
def _(module: nn.Tanh, features: Features, program: Program) -> Features:
    return program.activation(features, "tanh")


def _batchnorm(module: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """What BatchNorm multiplies each channel by, and what it adds, after training."""
    mean, variance = module.running_mean, module.running_var
    if mean is None or variance is None:
        raise UnsupportedLayer("a BatchNorm without running statistics")
    scale = torch.rsqrt(variance + module.eps)
    if module.affine:
        scale = scale * module.weight
    shift = -mean * scale
    return scale, shift + module.bias if module.affine else shift


def _geometry(module: nn.Conv2d | nn.ConvTranspose2d) -> tuple[int, int, int]:
    """Kernel, stride and padding of a convolution that treats rows as it does columns.

    Raises:
        UsageError: it does not, or it is dilated, or pads with something else than zeros.
    """
    kernel, stride, padding = module.kernel_size, module.stride, module.padding
    if (
        isinstance(padding, str)
        or any(sides[0] != sides[1] for sides in (kernel, stride, padding))
        or any(value != 1 for value in module.dilation)
        or module.padding_mode != "zeros"
    ):
        raise UnsupportedLayer(f"an unusual {type(module).__name__}: {module}")
    return kernel[0], stride[0], padding[0]
