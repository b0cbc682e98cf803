"""Codes, the images that encoder and critic see, and where gradients may flow."""

from typing import Any

import pytest
import torch
from torch import Tensor

from genctl.common.errors import ConfigError
from genctl.common.rng import torch_rng
from genctl.conditions.base import Condition
from genctl.conditions.image import Augment, Image
from genctl.conditions.label import Label
from genctl.conditions.none import NoCondition
from genctl.config.build import build_model
from genctl.config.config import Config
from genctl.data.base import Images
from genctl.networks.layers.encoders import ImageEncoder
from tests.support.tiny import batch_noise, batches, image_numbers, images, tiny

ALL = torch.arange(20)
NO_AUGMENT = Augment(degrees=0.0, translate=0.0, scale=0.0)
LABEL = ["condition.kind=label"]
BY_CLASS = ["condition.kind=image"]
BY_INSTANCE = ["condition.kind=image", "condition.pairing=instance"]
KEEP_MISTAKES = "condition.correct_misclassified=false"
CODED = (LABEL, BY_CLASS, BY_INSTANCE)


def conditional(*overrides: str) -> Config:
    return tiny(*overrides, "condition.code_dim=6")


def on_sphere(codes: Tensor) -> bool:
    return torch.allclose(codes.square().mean(1), torch.ones(len(codes)), atol=1e-4)


# -- codes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("overrides", CODED)
def test_codes_lie_on_the_sphere_and_the_critic_gets_the_same(overrides: list[str]) -> None:
    config = conditional(*overrides)
    codes = build_model(config, 4).codes(batches(config).batch(0))
    assert codes.generator.shape == (8, 6)
    assert codes.critic.shape == (8, config.condition.critic_code_dim(4))
    assert on_sphere(codes.generator)
    assert torch.equal(codes.critic[:, :6], codes.generator)


@pytest.mark.parametrize("overrides", CODED)
def test_no_gradient_reaches_the_encoder_through_the_critic(overrides: list[str]) -> None:
    config = conditional(*overrides)
    codes = build_model(config, 4).codes(batches(config).batch(0))
    assert not codes.critic.requires_grad
    assert codes.generator.requires_grad


@pytest.mark.parametrize("overrides", [LABEL, [*BY_CLASS, KEEP_MISTAKES], BY_INSTANCE])
def test_noise_is_added_to_codes_in_training_only(overrides: list[str]) -> None:
    config = conditional(*overrides, "condition.code_noise=0.5")
    batch, model = batches(config).batch(0), build_model(config, 4)
    noisy = model.codes(batch).generator
    model.condition = conditional(*overrides, "condition.code_noise=0.0").condition
    plain = model.codes(batch).generator
    assert not torch.allclose(noisy, plain, atol=0.05)
    inputs = batch.labels if overrides == LABEL else batch.condition_images
    torch.testing.assert_close(plain, model.encode(inputs))


def test_without_a_condition_codes_have_length_0() -> None:
    config = tiny("condition.kind=none")
    codes = build_model(config, 4).codes(batches(config).batch(0))
    assert codes.generator.shape == codes.critic.shape == (8, 0)
    assert codes.terms == {}


@pytest.mark.parametrize("overrides", [LABEL, BY_CLASS])
def test_the_critic_gets_the_class_with_the_length_of_a_code(overrides: list[str]) -> None:
    config = conditional(*overrides)
    batch = batches(config).batch(0)
    one_hot = build_model(config, 4).codes(batch).critic[:, 6:]
    assert one_hot.argmax(1).tolist() == batch.labels.tolist()
    assert one_hot.sum(1).tolist() == pytest.approx([6**0.5] * 8)
    assert one_hot.count_nonzero() == 8


def test_with_pairing_by_instance_the_critic_gets_the_code_alone() -> None:
    config = conditional(*BY_INSTANCE)
    assert build_model(config, 4).codes(batches(config).batch(0)).critic.shape == (8, 6)


def test_the_encoder_learns_the_classes_by_cross_entropy() -> None:
    config = conditional("condition.cross_entropy_weight=3.0", "condition.code_noise=0.0")
    model, batch = build_model(config, 4), batches(config).batch(0)
    encoder = model.networks["encoder"]
    assert isinstance(encoder, ImageEncoder)
    logits = encoder.classify(model.encode(batch.condition_images))
    probabilities = logits.softmax(1)[torch.arange(8), batch.labels]
    loss = model.codes(batch).terms["cross_entropy"]
    torch.testing.assert_close(loss, -3 * probabilities.log().mean())


def test_without_classes_the_encoder_learns_which_image_is_which() -> None:
    config = conditional(*BY_INSTANCE, "condition.cross_entropy_weight=3.0")
    model, batch = build_model(config, 0), batches(config, images(classes=0)).batch(0)
    seen = model.networks["encoder"](torch.cat([batch.condition_images, batch.real]))
    cosines = seen[:8] @ seen[8:].T / 6  # codes have the length 6 ** 0.5
    odds = (cosines / 0.1).exp()
    rows, columns = (odds.diag() / odds.sum(dim) for dim in (1, 0))
    loss = -(rows.log().mean() + columns.log().mean()) / 2
    torch.testing.assert_close(model.codes(batch).terms["cross_entropy"], 3 * loss)


def test_by_instance_codes_are_their_own_whatever_the_encoder_recognizes() -> None:
    config = conditional(*BY_INSTANCE, "condition.code_noise=0.0")
    model, batch = build_model(config, 4), batches(config).batch(0)
    torch.testing.assert_close(model.codes(batch).generator, model.encode(batch.condition_images))


def test_the_generator_is_trained_with_codes_whose_class_the_encoder_recognizes() -> None:
    settings = ("condition.code_noise=0.0", "training.batch_size=64")
    config = conditional(*settings)
    model, batch = build_model(config, 4), batches(config, images(count=200)).batch(0)
    encoder = model.networks["encoder"]
    assert isinstance(encoder, ImageEncoder)
    own, labels = model.encode(batch.condition_images), batch.labels
    logits = encoder.classify(own)
    predicted = logits.argmax(1)
    corrected = model.codes(batch)
    assert (predicted != labels).any()
    for row, label in enumerate(labels.tolist()):
        weight, bias = encoder.head.weight, encoder.head.bias
        assert isinstance(weight, Tensor)
        assert isinstance(bias, Tensor)
        normal = weight[label] - weight[predicted[row]]
        offset = bias[label] - bias[predicted[row]]
        expected = own[row]
        if predicted[row] != label:  # Householder's reflection, in a plane beside the origin
            expected = expected - 2 * (normal @ expected + offset) / (normal @ normal) * normal
            expected = expected / expected.square().mean().sqrt()
        torch.testing.assert_close(corrected.generator[row], expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(corrected.critic[:, :6], corrected.generator)
    model.condition = conditional(*settings, KEEP_MISTAKES).condition
    kept = model.codes(batch)
    torch.testing.assert_close(kept.generator, own)
    torch.testing.assert_close(kept.terms["cross_entropy"], corrected.terms["cross_entropy"])


# -- the images of a batch ------------------------------------------------------------------------


def test_by_class_the_real_image_is_another_one_of_the_same_class() -> None:
    for number in range(20):
        chosen = Image(augment=NO_AUGMENT).choose_images(images(), ALL, batch_noise(20, number))
        assert image_numbers(chosen.condition_images) == ALL.tolist()
        real = image_numbers(chosen.real)
        assert all(own != other and own % 4 == other % 4 for own, other in enumerate(real))


def test_by_class_every_other_image_of_the_class_may_be_the_real_one() -> None:
    chosen = {
        image_numbers(Image().choose_images(images(), ALL[:1], batch_noise(1, number)).real)[0]
        for number in range(100)
    }
    assert chosen == {4, 8, 12, 16}


def test_images_that_share_a_code_are_of_the_class_of_the_image_that_the_encoder_sees() -> None:
    shared = Image(images_per_code=4, augment=NO_AUGMENT)
    chosen = shared.choose_images(images(), ALL, batch_noise(20))
    assert image_numbers(chosen.condition_images) == [0, 4, 8, 12, 16]
    assert chosen.labels.tolist() == [0] * 20
    real = torch.tensor(image_numbers(chosen.real)).unflatten(0, (5, 4))
    assert (real % 4 == 0).all()
    assert all(own not in others for own, others in zip([0, 4, 8, 12, 16], real, strict=True))
    assert any(len(set(others.tolist())) > 1 for others in real)


def test_images_that_share_a_code_have_the_same_code_with_noise_of_their_own() -> None:
    config = conditional("condition.images_per_code=4", "condition.code_noise=0.0", KEEP_MISTAKES)
    batch, model = batches(config).batch(0), build_model(config, 4)
    assert len(batch.condition_images) == 2
    codes = model.codes(batch)
    seen = model.encode(batch.condition_images)
    torch.testing.assert_close(codes.generator, seen[[0, 0, 0, 0, 1, 1, 1, 1]])
    encoder = model.networks["encoder"]
    assert isinstance(encoder, ImageEncoder)
    probabilities = encoder.classify(seen).softmax(1)[torch.arange(2), batch.labels[[0, 4]]]
    torch.testing.assert_close(codes.terms["cross_entropy"], -probabilities.log().mean())
    model.condition = conditional("condition.images_per_code=4").condition
    assert len(model.codes(batch).generator.unique(dim=0)) == 8


def test_a_batch_that_cannot_be_divided_among_codes_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"condition\.images_per_code: .* a divisor of 8"):
        conditional("condition.images_per_code=3")


def test_the_only_image_of_its_class_is_paired_with_itself() -> None:
    chosen = Image().choose_images(images(count=3, classes=3), torch.arange(3), batch_noise(3))
    assert image_numbers(chosen.real) == [0, 1, 2]


def test_by_instance_both_images_are_the_same_one_transformed_twice() -> None:
    plain = Image(pairing="instance", augment=NO_AUGMENT)
    original = plain.choose_images(images(), ALL, batch_noise(20))
    assert image_numbers(original.real) == image_numbers(original.condition_images) == ALL.tolist()
    chosen = Image(pairing="instance").choose_images(images(), ALL, batch_noise(20))
    assert not torch.allclose(chosen.real, original.real, atol=0.1)
    assert not torch.allclose(chosen.real, chosen.condition_images, atol=0.1)


@pytest.mark.parametrize("condition", [Label(), NoCondition()])
def test_other_conditions_take_the_images_themselves(condition: Condition) -> None:
    chosen = condition.choose_images(images(), ALL, batch_noise(20))
    assert image_numbers(chosen.real) == ALL.tolist()
    assert torch.equal(chosen.labels, ALL % 4)


# -- data without labels --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (Image(), r"condition\.pairing: class needs data with labels.*pairing=instance"),
        (Label(), r"condition\.kind: label needs data with labels.*pairing: instance"),
    ],
)
def test_data_without_labels_is_refused_with_advice(condition: Condition, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        condition.check(labelled=False)
    condition.check(labelled=True)


@pytest.mark.parametrize("condition", [NoCondition(), Image(pairing="instance")])
def test_data_without_labels_is_accepted_where_none_are_needed(condition: Condition) -> None:
    condition.check(labelled=False)


# -- codes for classes, grids and noise -----------------------------------------------------------


def number_encoder(inputs: Tensor) -> Tensor:
    """A code (B, 2) that says which image it was made from."""
    numbers = torch.tensor(image_numbers(inputs)).float()
    return torch.stack([numbers, torch.ones_like(numbers)], 1)


def label_encoder(labels: Tensor) -> Tensor:
    """A code (B, 1) that is the label."""
    return labels[:, None].float()


def test_the_code_of_a_class_is_the_normalized_mean_of_its_images() -> None:
    codes = Image(code_dim=2).class_codes(number_encoder, images())
    means = torch.tensor([[8.0, 1], [9, 1], [10, 1], [11, 1]])  # of 0, 4, 8, 12, 16 and so on
    torch.testing.assert_close(codes, means * (2 / means.square().sum(1, keepdim=True)).sqrt())


def test_with_labels_the_code_of_a_class_is_that_of_its_label() -> None:
    assert Label(code_dim=1).class_codes(label_encoder, images()).tolist() == [[0], [1], [2], [3]]


def test_training_codes_come_from_all_of_the_training_data() -> None:
    pixels = images(count=200).pixels.repeat(10, 1, 1, 1)
    labels = torch.arange(2).repeat_interleave(1000)
    data = Images(pixels, labels, ("a", "b"))  # sorted by class, as a folder is
    codes = Label(code_dim=1).training_codes(label_encoder, data)
    assert codes.mean().item() == pytest.approx(0.5, abs=0.1)
    assert len(Image(code_dim=2).training_codes(number_encoder, data).unique(dim=0)) > 150


def random_codes(**settings: Any) -> Tensor:
    training_codes = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1]])
    return Label(code_dim=4, **settings).random_codes(training_codes, 50, torch_rng(0))


def test_random_codes_are_training_codes_with_noise() -> None:
    exact = random_codes(code_noise=0.0).round(decimals=3)
    assert exact.unique(dim=0).tolist() == [[1, -1, 1, -1], [1, 1, 1, 1]]
    noisy = random_codes(code_noise=0.3)
    assert on_sphere(noisy)
    assert len(noisy.unique(dim=0)) == 50
    assert torch.equal(noisy, random_codes(code_noise=0.3))


def test_grids_use_the_first_image_of_each_class() -> None:
    assert image_numbers(Image().example_inputs(images(), 3)) == [0, 1, 2]
    assert image_numbers(Image().example_inputs(images(classes=0), 5)) == [0, 1, 2, 3, 4]
    assert Label().example_inputs(images(), 10).tolist() == [0, 1, 2, 3]
    assert NoCondition().example_inputs(images(), 6).shape == (6, 0)


def test_a_condition_with_codes_of_length_0_is_refused() -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        Image(code_dim=0)
