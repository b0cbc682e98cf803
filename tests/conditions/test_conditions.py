"""What is shown, what the critic takes for real beside it, and where gradients may go."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from genctl.common.errors import ConfigError
from genctl.common.rng import torch_rng
from genctl.conditions.base import Condition
from genctl.conditions.coded import Coded
from genctl.conditions.image import Image
from genctl.conditions.label import Label
from genctl.conditions.none import NoCondition
from genctl.config.config import Config
from genctl.data.base import Images
from genctl.model import Model
from genctl.networks.layers.encoders import ImageEncoder
from genctl.objectives.base import Score
from tests.support.tiny import batch_noise, batches, image_numbers, images, tiny

EVERY = torch.arange(20)
STILL = {"shift": 0.0, "scale": 0.0, "turn": 0.0}
CODED = (
    ["condition.kind=label"],
    ["condition.kind=image"],
    ["condition.kind=image", "condition.pairing=instance"],
)


def conditional(*overrides: str) -> Config:
    return tiny(*overrides, "condition.code_dim=6")


def on_sphere(codes: Tensor) -> bool:
    return torch.allclose(codes.square().mean(1), torch.ones(len(codes)), atol=1e-4)


# -- codes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("overrides", CODED)
def test_codes_lie_on_the_sphere_and_the_critic_is_told_the_same(overrides: list[str]) -> None:
    config = conditional(*overrides)
    codes = Model(config, 4).codes(batches(config).batch(0))
    assert codes.generator.shape == (8, 6)
    assert codes.critic.shape == (8, config.condition.critic_width(4))
    assert on_sphere(codes.generator)
    assert torch.equal(codes.critic[:, :6], codes.generator)


@pytest.mark.parametrize("overrides", CODED)
def test_no_gradient_reaches_the_encoder_through_the_critic(overrides: list[str]) -> None:
    config = conditional(*overrides)
    codes = Model(config, 4).codes(batches(config).batch(0))
    assert not codes.critic.requires_grad
    assert codes.generator.requires_grad


@pytest.mark.parametrize("overrides", CODED)
def test_codes_are_jittered_in_training_and_only_then(overrides: list[str]) -> None:
    config = conditional(*overrides, "condition.code_noise=0.5")
    still = conditional(*overrides, "condition.code_noise=0.0")
    played = batches(config).batch(0)
    model = Model(config, 4)
    jittered = model.codes(played)
    model.condition = still.condition
    plain = model.codes(played)
    assert not torch.allclose(jittered.generator, plain.generator, atol=0.05)
    shown = played.labels if isinstance(config.condition, Label) else played.shown
    torch.testing.assert_close(plain.generator, model.encode(shown))


def test_without_a_condition_codes_have_no_width() -> None:
    config = tiny("condition.kind=none")
    codes = Model(config, 4).codes(batches(config).batch(0))
    assert codes.generator.shape == codes.critic.shape == (8, 0)
    assert codes.terms == {}


@pytest.mark.parametrize("overrides", CODED[:2])
def test_by_class_the_critic_is_told_the_class_as_loud_as_the_code(overrides: list[str]) -> None:
    config = conditional(*overrides)
    played = batches(config).batch(0)
    told = Model(config, 4).codes(played).critic[:, 6:]
    assert told.argmax(1).tolist() == played.labels.tolist()
    assert told.sum(1).tolist() == pytest.approx([6**0.5] * 8)  # the length of a code
    assert told.count_nonzero() == 8


def test_by_instance_the_critic_is_told_the_code_alone() -> None:
    config = conditional("condition.pairing=instance")
    assert Model(config, 4).codes(batches(config).batch(0)).critic.shape == (8, 6)


def test_the_critic_learns_the_classes_of_real_images() -> None:
    config = conditional("objective.critic_cross_entropy_weight=3.0")
    model, played = Model(config, 4), batches(config).batch(0)
    code = model.codes(played).critic
    score = Score(model.critic, code, model.critic_classes)
    logits = model.critic(played.real, code)[:, 1:]
    picked = logits.softmax(1)[torch.arange(8), played.labels]
    found = config.condition.critic_terms(score, played)["cross_entropy"]
    torch.testing.assert_close(found, 3 * -picked.log().mean())


def test_a_critic_that_learns_no_classes_has_no_places_for_them() -> None:
    config = conditional("objective.critic_cross_entropy_weight=0.0")
    model, played = Model(config, 4), batches(config).batch(0)
    code = model.codes(played).critic
    assert model.critic(played.real, code).shape == (8, 1)
    assert config.condition.critic_terms(Score(model.critic, code, 0), played) == {}


def test_the_encoder_learns_classes_by_cross_entropy() -> None:
    config = conditional("condition.cross_entropy_weight=3.0", "condition.code_noise=0.0")
    model, played = Model(config, 4), batches(config).batch(0)
    encoder = model.roles["encoder"]
    assert isinstance(encoder, ImageEncoder)
    found = model.codes(played).terms["cross_entropy"]
    logits = encoder.head(model.encode(played.shown))
    picked = logits.softmax(1)[torch.arange(8), played.labels]
    torch.testing.assert_close(found, 3 * -picked.log().mean())


def test_images_without_classes_teach_the_encoder_by_the_game_alone() -> None:
    config = conditional("condition.pairing=instance")
    found = Model(config, 0).codes(batches(config, images(classes=0)).batch(0))
    assert found.terms == {}


# -- what is shown --------------------------------------------------------------------------------


def test_the_partner_is_another_image_of_the_same_class() -> None:
    data = images()
    for seed in range(20):
        shown = Image(**STILL).show(data, EVERY, batch_noise(len(EVERY), seed))  # type: ignore[arg-type]
        partners = image_numbers(shown.real)
        assert image_numbers(shown.image) == EVERY.tolist()
        assert all(partner % 4 == own % 4 for own, partner in enumerate(partners))
        assert all(partner != own for own, partner in enumerate(partners))


def test_every_other_image_of_the_class_may_be_the_partner() -> None:
    data = images()
    met = {
        image_numbers(Image().show(data, EVERY[:1], batch_noise(1, seed)).real)[0]
        for seed in range(100)
    }
    assert met == {4, 8, 12, 16}


def test_an_image_alone_in_its_class_is_its_own_partner() -> None:
    shown = Image().show(images(count=3, classes=3), torch.arange(3), batch_noise(3))
    assert image_numbers(shown.real) == [0, 1, 2]


def test_by_instance_the_partner_is_the_image_itself_moved() -> None:
    data = images()
    still = Image(pairing="instance", **STILL)  # type: ignore[arg-type]
    shown = still.show(data, EVERY, batch_noise(len(EVERY)))
    assert image_numbers(shown.real) == image_numbers(shown.image) == EVERY.tolist()
    moved = Image(pairing="instance").show(data, EVERY, batch_noise(len(EVERY)))
    assert not torch.allclose(moved.real, shown.real, atol=0.1)
    assert not torch.allclose(moved.real, moved.image, atol=0.1)  # each in its own way


def test_a_label_and_nothing_are_shown_with_the_image_itself() -> None:
    for condition in (Label(), NoCondition()):
        shown = condition.show(images(), EVERY, batch_noise(len(EVERY)))
        assert image_numbers(shown.real) == EVERY.tolist()
        assert torch.equal(shown.labels, EVERY % 4)


# -- data that cannot serve -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "advice"),
    [
        (Image(), r"condition\.pairing: class needs data with labels.*pairing=instance"),
        (Label(), r"condition\.kind: label needs data with labels.*pairing: instance"),
    ],
)
def test_data_without_labels_is_refused_with_a_way_out(condition: Condition, advice: str) -> None:
    with pytest.raises(ConfigError, match=advice):
        condition.check(labelled=False)
    condition.check(labelled=True)


@pytest.mark.parametrize("condition", [NoCondition(), Image(pairing="instance")])
def test_data_without_labels_serves_where_no_label_is_asked_for(condition: Condition) -> None:
    condition.check(labelled=False)


# -- codes for classes, grids and noise -----------------------------------------------------------


def encoder(shown: Tensor) -> Tensor:
    """A code of width 2 that tells which image it is made of."""
    numbers = torch.tensor(image_numbers(shown)).float()
    return torch.stack([numbers, torch.ones_like(numbers)], 1)


def test_the_code_of_a_class_is_the_mean_of_its_images_on_the_sphere() -> None:
    codes = Image(code_dim=2).class_codes(encoder, images())
    means = torch.tensor([[8.0, 1], [9, 1], [10, 1], [11, 1]])  # of 0, 4, 8, 12, 16 and so on
    torch.testing.assert_close(codes, means * (2 / means.square().sum(1, keepdim=True)).sqrt())


def test_the_code_of_a_label_is_its_row() -> None:
    rows: Callable[[Tensor], Tensor] = lambda labels: labels[:, None].float()  # noqa: E731
    assert Label(code_dim=1).class_codes(rows, images()).tolist() == [[0], [1], [2], [3]]


def test_typical_codes_come_from_all_over_the_training_data() -> None:
    half = images(count=200)
    pixels, labels = half.pixels.repeat(10, 1, 1, 1), torch.arange(2).repeat_interleave(1000)
    data = Images(pixels, labels, ("a", "b"))  # sorted by class, as a folder is
    codes = Label(code_dim=1).training_codes(lambda labels: labels[:, None].float(), data)
    assert codes.mean().item() == pytest.approx(0.5, abs=0.1)
    assert len(Image(code_dim=2).training_codes(encoder, data).unique(dim=0)) > 150


def test_noise_is_a_typical_code_jittered() -> None:
    typical = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1]])
    exact = Label(code_dim=4, code_noise=0.0).noise(typical, 50, torch_rng(0))
    assert {tuple(row) for row in exact.round(decimals=3).tolist()} == {
        tuple(row) for row in typical.tolist()
    }
    jittered = Label(code_dim=4, code_noise=0.3).noise(typical, 50, torch_rng(0))
    assert on_sphere(jittered)
    assert len(jittered.unique(dim=0)) == 50
    assert torch.equal(jittered, Label(code_dim=4, code_noise=0.3).noise(typical, 50, torch_rng(0)))


def test_grids_show_the_first_image_of_each_class() -> None:
    assert image_numbers(Image().examples(images(), 3)) == [0, 1, 2]
    assert image_numbers(Image().examples(images(classes=0), 5)) == [0, 1, 2, 3, 4]
    assert Label().examples(images(), 10).tolist() == [0, 1, 2, 3]
    assert NoCondition().examples(images(), 6).shape == (6, 0)


def test_codes_of_a_wrong_width_cannot_be_asked_for() -> None:
    assert issubclass(Image, Coded)
    with pytest.raises(ValueError, match="greater than 0"):
        Image(code_dim=0)
