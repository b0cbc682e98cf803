"""Every mistake in a config is reported with its line, its key, the reason and a way out."""

import pytest

from genctl.common.registry import kinds
from genctl.config import config as configs
from tests.config.problems import problems_of

DATA_KINDS = ", ".join(kinds("data"))
MISTAKES = [
    ("condition: image", "condition: must be a section of settings, found the text 'image'; write "
     "condition: {kind: image}"),
    ("training:", "training: must be a section of settings, found nothing"),
    ("training: [1, 2]", "training: must be a section of settings, found a list of 2"),
    ("data: {image_size: 16}", f"data.kind: is missing; choose one of {DATA_KINDS}"),
    ("networks: {kind: [1]}", "networks.kind: a list of 1 is not one of dcgan, resnet, unet"),
    ("data: {kind: folder}", "data.root: is missing, and has no default"),
    ("data: {kind: digits, image_size: 33}", "data.image_size: must be a power of two, such as "
     "16, 32 or 64; found 33"),
    ("optimizer: {schedule: linea}", "optimizer.schedule: must be 'none', 'linear' or 'cosine', "
     "found the text 'linea'; did you mean 'linear'?"),
    ("optimizer: {betas: [0, 0, 0]}", "optimizer.betas: must have at most 2 values, found a list "
     "of 3"),
    ("optimizer: {betas: [0, x]}", "optimizer.betas.1: must be a number, found the text 'x'"),
    ("networks: {kind: dcgan, critic_channels: large}", "networks.critic_channels: must be a list "
     "of channel counts, or auto or small"),
    ("networks: {kind: dcgan, critic_channels: []}", "networks.critic_channels: must have at least "
     "1 values, found a list of 0"),
    ("condition: {kind: image, augment: 5}", "condition.augment: must be a section of settings, "
     "found the number 5"),
    ("condition: {kind: image, augment: {scale: -1}}", "condition.augment.scale: must be greater "
     "than or equal to 0, found the number -1"),
    ("objective: {kind: r3gan, gamma: .inf}", "objective.gamma: must be a finite number, found the "
     "number inf"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "message"), MISTAKES)
def test_a_mistake_is_reported_with_line_key_and_reason(line: str, message: str) -> None:
    assert problems_of(f"# a comment\n{line}\n") == [f"file.yaml:2: {message}"]


def test_channels_that_do_not_fit_the_images_are_reported_at_their_line() -> None:
    text = (
        "data: {kind: digits, image_size: 64}\nnetworks:\n  generator_channels: [8, 8, 8]\n"
        "  critic_channels: [8]\n  kind: dcgan\n"
    )
    assert problems_of(text) == [
        "file.yaml:3: networks.generator_channels: 64x64 images need 4 or 5 channel counts, "
        "found 3",
        "file.yaml:4: networks.critic_channels: 64x64 images need 4 channel counts, found 1",
    ]


def test_a_vae_with_resnet_needs_a_tanh() -> None:
    text = "objective: {kind: vae}\nnetworks: {kind: resnet}\n"
    assert problems_of(text) == ["file.yaml:2: networks.tanh: objective.kind vae needs true"]
    assert configs.parse(text, "file.yaml", ["networks.tanh=true"]).networks.bounded
