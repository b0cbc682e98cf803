"""What ``--set`` changes in a config, and how it is refused."""

import pytest

from genctl.common.registry import kinds
from genctl.config import config as configs
from genctl.config import yaml_reader
from genctl.config.config import Config
from genctl.config.overrides import apply_overrides
from tests.config.problems import problems_of

DIGITS = "data: {kind: digits}"
IMAGE = "condition: {kind: image, augment: {degrees: 3, scale: 0.3}}"


def parse(text: str, *overrides: str) -> Config:
    return configs.parse(text, "file.yaml", list(overrides))


def test_values_are_replaced_and_added() -> None:
    config = parse(
        "training: {seed: 1}\ndata:\n  kind: digits\n",
        "training.seed=2", "training.keep=5", "optimizer.betas=[0.1, 0.2]",
        "optimizer.critic_learning_rate=1e-4", "optimizer.critic_learning_rate=null",
        " networks.z_dim = 7",
    )  # fmt: skip
    assert (config.training.seed, config.training.keep) == (2, 5)
    assert config.optimizer.betas == (0.1, 0.2)
    assert config.optimizer.critic_learning_rate is None
    assert config.z_dim == 7


def augment(text: str, *overrides: str) -> tuple[float, float, float]:
    found = parse(text, *overrides).condition.model_dump()["augment"]
    return found["degrees"], found["translate"], found["scale"]


def test_nested_values_are_replaced_and_added() -> None:
    assert augment(IMAGE, "condition.augment.degrees=5") == (5, 0.06, 0.3)
    assert augment(IMAGE, "condition.augment.translate=0.5") == (3, 0.5, 0.3)
    assert augment("condition: {kind: image}", "condition.augment.degrees=5") == (5, 0.06, 0.1)
    nothing = ["condition.kind=image", "condition.augment.degrees=5"]
    assert augment(DIGITS, *nothing) == augment(DIGITS, *reversed(nothing)) == (5, 0.06, 0.1)


def test_a_whole_mapping_replaces_the_old_one() -> None:
    assert augment(IMAGE, "condition.augment={degrees: 5}") == (5, 0.06, 0.1)
    options = ("condition.augment={degrees: 5}", "condition.augment.scale=0.2")
    assert augment(IMAGE, *options) == (5, 0.06, 0.2)


def test_the_text_of_the_file_is_not_changed_by_overrides() -> None:
    document = yaml_reader.parse(IMAGE, "file.yaml")
    before = repr(document)
    apply_overrides(document, ["condition.augment.degrees=5", "data.kind=mnist"], Config)
    assert repr(document) == before


def test_a_value_of_a_section_left_out_is_one_of_its_default_kind() -> None:
    objective = parse(DIGITS, "objective.gamma=3").objective
    assert (objective.kind, objective.model_dump()["gamma"]) == ("nonsaturating", 3.0)
    assert parse(DIGITS, "condition.code_dim=8", "condition.kind=label").condition.code_dim == 8


def test_the_last_of_two_values_counts() -> None:
    assert parse(DIGITS, "training.seed=1", "training.seed=2").training.seed == 2


NEW_KIND = ["objective.kind=r3gan", "objective.gamma_end=0.5"]


@pytest.mark.parametrize("overrides", [NEW_KIND, NEW_KIND[::-1]])
def test_a_new_kind_drops_the_old_settings_and_no_new_ones(overrides: list[str]) -> None:
    text = "objective: {kind: wgan_gp, gradient_penalty_weight: 3, critic_steps: 2}"
    found = parse(text, *overrides).objective
    assert found == parse("objective: {kind: r3gan, gamma_end: 0.5}").objective


def test_the_same_kind_drops_nothing() -> None:
    text = "objective: {kind: wgan_gp, critic_steps: 2}"
    assert parse(text, "objective.kind=wgan_gp") == parse(text)


def test_a_new_kind_keeps_what_both_kinds_inherit() -> None:
    text = "data: {kind: emnist, subset: letters, root: here, image_size: 16, channels: 3}"
    networks = ["networks.generator_channels=[8, 8]", "networks.critic_channels=[8, 8]"]
    data = parse(text, "data.kind=digits", *networks).data
    kept = {"kind": "digits", "image_size": 16, "channels": 3, "captions": "none"}
    assert data.model_dump() == kept
    folder = parse(text, "data.kind=folder", "data.root=there", *networks).data
    assert folder.model_dump()["root"] == "there"
    (why,) = problems_of(text, "data.kind=folder", *networks)  # its root means something else
    assert why.endswith("data.root: is missing, and has no default")


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("training.seed=x", "training.seed: must be an integer, found the text 'x'"),
        ("training.sed=1", "training.sed: unknown key; did you mean training.seed?"),
        ("trainin.seed=1", "trainin: unknown key; did you mean training?"),
        ("trainin.seed.deep=1", "trainin: unknown key; did you mean training?"),
        ("optimizer.betas=[0, x]", "optimizer.betas.1: must be a number, found the text 'x'"),
        ("data.kind={a: 1}", "data.kind: a section of settings is not one of "
         + ", ".join(kinds("data"))),
        ("condition.augment.degrees=x", "condition.augment.degrees: must be a number, found the "
         "text 'x'"),
        ("condition.augment.degres=5", "condition.augment.degres: unknown key; did you mean "
         "condition.augment.degrees?"),
        ("condition.augment={degres: 5}", "condition.augment.degres: unknown key; did you mean "
         "condition.augment.degrees?"),
        ("condition.augment=5", "condition.augment: must be a section of settings, found the "
         "number 5"),
        ("condition.augment.scale.x=5", "condition.augment.scale.x: unknown key; "
         "condition.augment.scale is the number 0.3, not a section of settings"),
        ("training.seed.x=1", "training.seed: must be an integer, found a section of settings"),
        *((bad, "must look like section.key=value, as in training.seed=1")
          for bad in ("training.seed", "training=1", "=1", ".seed=1", "training.=1", "a..b=1")),
    ],
)  # fmt: skip
def test_a_bad_override_is_reported_by_the_option(option: str, why: str) -> None:
    text = f"{IMAGE}\noptimizer: {{betas: [0.1, 0.2]}}\n"
    assert problems_of(text, option) == [f"--set {option}: {why}"]


def test_a_value_instead_of_a_section_is_reported_even_if_it_is_overridden() -> None:
    assert "file.yaml:1: training: must be a section of settings, found the number 5" in (
        problems_of("training: 5", "training.seed=1")
    )


def test_settings_that_a_new_kind_dropped_are_not_blamed() -> None:
    text = "networks:\n  kind: resnet\n  channels: [8, 8, 8, 8]\n"
    data = ("data.image_size=64", "data.kind=digits")
    critic = "networks.critic_channels=[8]"
    assert problems_of(text, "networks.kind=dcgan", critic, *data) == [
        f"--set {critic}: networks.critic_channels: 64x64 images need 4 channel counts, found 1"
    ]
