"""An unknown key comes with the key that was probably meant, or with those that exist."""

import pytest

from genctl.config.config import Config
from genctl.config.messages import MAX_SUGGESTIONS
from genctl.config.suggestions import suggest_key
from tests.config.problems import problems_of

MEANT = [
    # a typing error, in this section, in a nested one, and at the top
    ("training.btach_size", None, "training.batch_size"),
    ("condition.augment.degres", "image", "condition.augment.degrees"),
    ("trainig", None, "training"),
    # the right key in the wrong section
    ("learning_rate", None, "optimizer.learning_rate"),
    ("lerning_rate", None, "optimizer.learning_rate"),
    ("data.batch_size", "digits", "training.batch_size"),
    ("condition.degrees", "image", "condition.augment.degrees"),
    # a part of the key
    ("data.size", "digits", "data.image_size"),
    ("training.half_life", None, "training.ema_half_life"),
    # names that keys have had
    ("condition.scale", "image", "condition.augment.scale"),
    ("condition.cross_entropy", "image", "condition.cross_entropy_weight"),
    ("condition.critic_cross_entropy", "image", "objective.critic_cross_entropy_weight"),
    ("networks.z_width", "dcgan", "networks.z_dim"),
    ("networks.generator_widths", "dcgan", "networks.generator_channels"),
    ("networks.encoder_style", "dcgan", "networks.encoder"),
    ("objective.penalty_weight", "wgan_gp", "objective.gradient_penalty_weight"),
    ("objective.burn_in", "r3gan", "objective.gamma_burn_in"),
    ("training.average_half_life", None, "training.ema_half_life"),
    ("evaluation.samples", None, "evaluation.num_samples"),
]
NOTHING_SIMILAR = [
    ("condition.turn", "image",
     "code_dim, code_noise, pairing, images_per_code, cross_entropy_weight, augment, "
     "correct_misclassified"),
    ("condition.width", "label", "code_dim, code_noise"),
    ("condition.augment.turn", "image", "degrees, translate, scale"),
    ("objective.penalty_every", "nonsaturating",
     "critic_cross_entropy_weight, generator_cross_entropy_weight, augment, gamma, r1_interval"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "kind", "meant"), MEANT)
def test_the_key_that_was_meant_is_suggested(key: str, kind: str | None, meant: str) -> None:
    assert suggest_key(tuple(key.split(".")), kind, Config) == f"; did you mean {meant}?"


@pytest.mark.parametrize(("key", "kind", "known"), NOTHING_SIMILAR)
def test_where_nothing_is_similar_the_keys_are_listed(key: str, kind: str, known: str) -> None:
    assert suggest_key(tuple(key.split(".")), kind, Config) == f"; choose one of {known}"


def test_a_key_of_another_kind_is_reported_as_such() -> None:
    why = suggest_key(("data", "subset"), "digits", Config)
    assert why == " of kind digits; it belongs to emnist"
    assert suggest_key(("condition", "turn"), "none", Config) == "; kind none has no settings"


def test_an_unknown_key_is_reported_at_its_line() -> None:
    text = "condition:\n  kind: image\n  augment:\n    scale: 1\n    degres: 5\nlearning_rate: 1\n"
    assert problems_of(text) == [
        "file.yaml:5: condition.augment.degres: unknown key; did you mean "
        "condition.augment.degrees?",
        "file.yaml:6: learning_rate: unknown key; did you mean optimizer.learning_rate?",
    ]


def test_suggestions_end_where_a_file_has_too_many_unknown_keys() -> None:
    count = MAX_SUGGESTIONS + 20
    lines = problems_of("training:\n" + "".join(f"  sed{number}: 1\n" for number in range(count)))
    assert len(lines) == count
    assert lines[0] == "file.yaml:2: training.sed0: unknown key; did you mean training.seed?"
    assert lines[-1] == f"file.yaml:{count + 1}: training.sed{count - 1}: unknown key"
