"""Every config that ships with genctl is a good example."""

import pytest

from genctl.common.errors import MissingInput
from genctl.config import config as configs
from genctl.config import presets
from genctl.config.run_names import default_name

PROMISED = {
    "digits_gan", "digits_cgan", "mnist_gan", "mnist_cgan", "mnist_cgan_label", "mnist_vae",
    "fashion_cgan", "seed_gan", "seed_cgan", "stacked_mnist_gan", "mnist_text", "tiny",
    "fashion_gan", "folder_gan", "folder_cgan", "mnist_adversarial_flow", "mnist_meanflow",
}  # fmt: skip


def test_all_promised_presets_are_there() -> None:
    assert set(presets.names()) >= PROMISED


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_parses_and_begins_with_what_it_is_for_and_how_to_run_it(name: str) -> None:
    first, second, *_ = presets.text(name).splitlines()
    assert first.startswith("# ")
    assert first.endswith(".")
    assert presets.summary(name) == first.removeprefix("# ")
    assert second == f"#   genctl train --config {name}"
    configs.load(name)


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_says_which_data_condition_networks_and_objective_it_is_about(name: str) -> None:
    lines = presets.text(name).splitlines()
    sections = [line.partition(":")[0] for line in lines if line[:1].isalpha()]
    assert sections[:4] == ["data", "condition", "networks", "objective"]


@pytest.mark.parametrize(("name", "kind"), [("mnist_gan", "none"), ("mnist_vae", "none"),
    ("mnist_cgan", "image"), ("mnist_cgan_label", "label"), ("seed_cgan", "image"),
    ("mnist_text", "text"), ("folder_gan", "none"), ("folder_cgan", "image")])  # fmt: skip
def test_a_preset_has_the_condition_in_its_name(name: str, kind: str) -> None:
    assert configs.load(name).condition.kind == kind


def test_a_preset_is_found_with_and_without_its_ending() -> None:
    assert presets.text("tiny") == presets.text("tiny.yaml")
    assert presets.exists("tiny.yaml")
    assert not presets.exists("tinny")


def test_a_name_that_is_close_is_suggested() -> None:
    with pytest.raises(MissingInput, match=r"cannot find tinny: .*; did you mean tiny\?$"):
        presets.text("tinny")
    with pytest.raises(MissingInput, match=r"presets are .*mnist_cgan, .*tiny$"):
        presets.text("0")


def test_a_run_is_called_after_its_config_and_what_it_computes() -> None:
    config = configs.load("tiny")
    assert default_name(config, "tiny") == f"tiny-{configs.digest(config)[:8]}"
    assert default_name(config, "some/where/tiny.yaml") == default_name(config, "tiny")
