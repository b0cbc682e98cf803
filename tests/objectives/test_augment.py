"""The critic's augmentation against pixels computed by hand, the paper's code, and its purpose."""

import math

import pytest
import torch
from torch import Tensor

from genctl.common.errors import ConfigError
from genctl.conditions.base import Codes
from genctl.model import Model
from genctl.objectives.adversarial import Adversarial, ConditionedCritic
from genctl.objectives.augment import (
    REAL_SIGN,
    AugmentState,
    CriticAugment,
    brighten,
    contrast,
    cut_out,
    saturate,
    translate,
)
from genctl.objectives.base import ForwardPass, Update
from genctl.objectives.hinge import Hinge
from genctl.objectives.least_squares import LeastSquares
from genctl.objectives.nonsaturating import NonSaturating
from genctl.objectives.r3gan import R3GAN
from genctl.objectives.relativistic import Relativistic
from genctl.objectives.wgan_gp import WganGp
from tests.objectives.test_objectives import FAKE, LINEAR, NO_CODES, REAL
from tests.support.tiny import batch, batch_noise, tiny

CPU = torch.device("cpu")
NINE = torch.arange(1.0, 10).reshape(1, 1, 3, 3)  # 1 2 3 / 4 5 6 / 7 8 9


def each(*values: float) -> Tensor:
    """One value for each image."""
    return torch.tensor(values).reshape(-1, 1, 1, 1)


def pixels(images: Tensor) -> list[list[int]]:
    rows: list[list[int]] = images[0, 0].int().tolist()
    return rows


# -- the formulas ---------------------------------------------------------------------------------


def test_brightness_is_added() -> None:
    assert pixels(brighten(NINE, each(-1))) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_saturation_scales_the_difference_from_grey() -> None:
    colour = torch.tensor([1.0, 3.0, 8.0]).reshape(1, 3, 1, 1)  # grey is 4
    assert saturate(colour, each(0.5)).flatten().tolist() == [2.5, 3.5, 6]
    assert saturate(colour, each(0)).flatten().tolist() == [4, 4, 4]


def test_contrast_scales_the_difference_from_the_mean() -> None:
    assert contrast(NINE, each(0.5))[0, 0, 0].tolist() == [3, 3.5, 4]  # the mean is 5


def test_translation_moves_pixels_and_brings_zeros_in() -> None:
    assert pixels(translate(NINE, each(1), each(0))) == [[0, 0, 0], [1, 2, 3], [4, 5, 6]]
    assert pixels(translate(NINE, each(-1), each(2))) == [[0, 0, 4], [0, 0, 7], [0, 0, 0]]


def test_a_square_is_cut_out_as_far_as_it_is_inside() -> None:
    def cut(row: int, column: int, side: int) -> list[list[int]]:
        return pixels(cut_out(NINE, each(row), each(column), side, each(1).bool()))

    assert cut(1, 1, 1) == [[1, 2, 3], [4, 0, 6], [7, 8, 9]]
    assert cut(1, 1, 2) == [[0, 0, 3], [0, 0, 6], [7, 8, 9]]  # from a side's half before the center
    assert cut(3, 3, 2) == [[1, 2, 3], [4, 5, 6], [7, 8, 0]]
    assert cut(0, 0, 2) == [[0, 2, 3], [4, 5, 6], [7, 8, 9]]


def paper(images: Tensor, uniform: Tensor) -> Tensor:
    """`DiffAugment_pytorch.py` of Zhao et al. 2020, with given random numbers (B, 7)."""
    count, _, height, width = images.shape
    bright, saturation, contrasts, down, across, row, column = uniform.T[..., None, None, None]
    images = images + (bright - 0.5)
    mean = images.mean(dim=1, keepdim=True)
    images = (images - mean) * (saturation * 2) + mean
    mean = images.mean(dim=[1, 2, 3], keepdim=True)
    images = (images - mean) * (contrasts + 0.5) + mean
    numbers, rows, columns = torch.meshgrid(
        torch.arange(count), torch.arange(height), torch.arange(width), indexing="ij"
    )

    def randint(low: int, high: int, share: Tensor) -> Tensor:
        return (low + share * (high - low)).floor().long()[:, 0]

    shift = int(height * 0.125 + 0.5)
    # The paper's code adds the shift to the place that is read; this subtracts it, a mirror image.
    rows_read = (rows - randint(-shift, shift + 1, down) + 1).clamp(0, height + 1)
    columns_read = (columns - randint(-shift, shift + 1, across) + 1).clamp(0, width + 1)
    padded = torch.nn.functional.pad(images, [1, 1, 1, 1])
    images = padded.permute(0, 2, 3, 1)[numbers, rows_read, columns_read].permute(0, 3, 1, 2)
    side = int(height * 0.5 + 0.5)
    numbers, rows, columns = torch.meshgrid(
        torch.arange(count), torch.arange(side), torch.arange(side), indexing="ij"
    )
    rows = rows + randint(0, height + (1 - side % 2), row) - side // 2
    columns = columns + randint(0, width + (1 - side % 2), column) - side // 2
    mask = torch.ones(count, height, width)
    mask[numbers, rows.clamp(0, height - 1), columns.clamp(0, width - 1)] = 0
    return images * mask[:, None]


@pytest.mark.parametrize("size", [8, 16])
def test_at_full_strength_it_is_what_the_paper_does(size: int) -> None:
    images = torch.randn(200, 3, size, size, generator=torch.Generator().manual_seed(0))
    uniform = batch_noise(200).uniform("augment", 12)[:, 5:]
    ours = CriticAugment().transform(images, torch.tensor(1.0), batch_noise(200), "augment")
    torch.testing.assert_close(ours, paper(images, uniform))


def test_the_square_of_an_odd_side_is_as_in_the_paper() -> None:
    images = torch.ones(300, 1, 10, 10)  # the side is 5
    settings = CriticAugment(color=False, translate=0.0)
    ours = settings.transform(images, torch.tensor(1.0), batch_noise(300), "augment")
    sizes = {int(n) for n in (1 - ours).sum(dim=(1, 2, 3))}
    assert sizes == {a * b for a in (3, 4, 5) for b in (3, 4, 5)}


# -- how they are applied -------------------------------------------------------------------------


def transformed(strength: float, count: int = 64, channels: int = 1, parts: int = 1) -> Tensor:
    images = torch.randn(count, channels, 8, 8, generator=torch.Generator().manual_seed(0))
    noise = batch_noise(count)
    repeated = images.repeat(parts, 1, 1, 1)
    return CriticAugment().transform(repeated, torch.tensor(strength), noise, "augment")


def test_without_strength_images_stay_as_they_are() -> None:
    images = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert transformed(0.0).equal(images)


def test_each_transformation_has_the_probability_of_the_strength() -> None:
    settings = CriticAugment(color=True, translate=0.0, cutout=0.0)
    images = torch.zeros(4000, 1, 8, 8)
    strength = torch.tensor(0.3)
    brightened = settings.transform(images, strength, batch_noise(4000), "augment")
    changed = float((brightened[:, 0, 0, 0] != 0).float().mean())
    assert changed == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / 4000))


def test_real_and_generated_images_of_a_row_are_transformed_alike() -> None:
    first, second = transformed(0.7, parts=2).chunk(2)
    assert first.equal(second)
    assert not first[0].equal(transformed(0.0)[0])


def test_gradients_flow_to_the_images_twice() -> None:
    def double(images: Tensor) -> Tensor:
        strength = torch.tensor(0.9)
        output = CriticAugment().transform(images, strength, batch_noise(3), "augment")
        return output.square()

    images = torch.randn(3, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(double, images)
    assert torch.autograd.gradgradcheck(double, images)


@pytest.mark.parametrize("update", ["critic", "generator"])
@pytest.mark.parametrize("kind", [NonSaturating, Relativistic, R3GAN, Hinge, LeastSquares, WganGp])
def test_the_critic_sees_transformed_images_only(kind: type[Adversarial], update: str) -> None:
    """Under R1, too: every image that reaches the network has passed the augmentation."""
    seen: list[Tensor] = []

    class Critic(torch.nn.Module):
        def forward(self, images: Tensor, codes: Tensor) -> Tensor:
            seen.append(images)
            return images.flatten(1).sum(1, keepdim=True)

    objective = kind(  # type: ignore[call-arg]
        augment=CriticAugment(color=True, translate=0.0, cutout=0.0)
    )
    real = torch.zeros(2, 1, 4, 4)
    inputs = batch(real, torch.zeros(2, 4), objective.variant(0))
    inputs = type(inputs)(**{**vars(inputs), "augment_strength": torch.tensor(1.0)})
    model = Model(tiny("condition.kind=none").condition, {"critic": Critic()}, 4, "fp32")
    fake = torch.zeros(2, 1, 4, 4, requires_grad=True)
    terms = objective.terms(
        Update(update, (update,)), model, inputs, ForwardPass(Codes(NO_CODES, NO_CODES), fake)
    )
    amount = inputs.noise.uniform(f"augment {update}", 12)[:, 5] - 0.5
    assert seen
    for images in seen:
        for part in images[:, 0, 0, 0].reshape(-1, 2):
            torch.testing.assert_close(part.detach(), amount)
    if update == "generator":
        (gradient,) = torch.autograd.grad(torch.stack(list(terms.values())).sum(), fake)
        assert gradient.abs().sum() > 0


# -- how strong -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "sign"),
    [(NonSaturating, 1), (Hinge, 1), (Relativistic, 0), (R3GAN, 0), (WganGp, 0), (LeastSquares, 1)],
)
def test_the_sign_says_how_sure_the_critic_is(kind: type[Adversarial], sign: float) -> None:
    """The scores are 1 and 3 for real images, 2 and -4 for generated ones."""
    objective = kind()  # type: ignore[call-arg]
    inputs = batch(REAL, torch.zeros(2, 4), objective.variant(1))
    model = Model(tiny("condition.kind=none").condition, {"critic": LINEAR}, 4, "fp32")
    update = Update("critic", ("critic",))

    def measured(strength: Tensor | None) -> dict[str, Tensor]:
        forward = ForwardPass(Codes(NO_CODES, NO_CODES), FAKE)
        augmented = type(inputs)(**{**vars(inputs), "augment_strength": strength})
        objective.terms(update, model, augmented, forward)
        return forward.measured

    assert measured(None) == {}
    assert float(measured(torch.tensor(0.0))[REAL_SIGN]) == sign


def test_the_targets_of_least_squares_are_one_and_zero() -> None:
    scores = torch.tensor([0.4, 0.6])
    assert LeastSquares().certainty(scores, scores).sign().tolist() == [-1, 1]


def state(**settings: object) -> AugmentState:
    found = CriticAugment.model_validate(settings).start(100, CPU)
    assert found is not None
    return found


def test_the_strength_follows_the_sign() -> None:
    adaptive = state(ramp_images=1000, target=0.6)
    strengths, signs = [], []
    for sign in (1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0):
        adaptive.adapt(torch.tensor(sign), images=64)
        signs.append(float(adaptive.sign))
        strengths.append(float(adaptive.strength))
    # The mean moves by a quarter of what is left: 1/4, 7/16, 37/64, 175/256, 781/1024, then down.
    expected = [0.25, 0.4375, 0.578125, 0.68359375, 0.7626953125, 0.572021484375, 0.42901611328125]
    assert signs == pytest.approx(expected)
    assert strengths == pytest.approx([0, 0, 0, 0.064, 0.128, 0.064, 0])  # never below zero


def test_the_strength_stays_where_images_do_not_look_transformed() -> None:
    adaptive = state(ramp_images=100)
    for _ in range(20):
        adaptive.adapt(torch.tensor(1.0), images=64)
    assert float(adaptive.strength) == pytest.approx(0.8)


def test_a_given_strength_stays() -> None:
    fixed = state(strength=0.25)
    fixed.adapt(torch.tensor(1.0), images=64)
    assert float(fixed.strength) == 0.25


def test_auto_is_for_few_pictures() -> None:
    assert CriticAugment().start(9_999, CPU) is not None
    assert CriticAugment().start(10_000, CPU) is None
    assert CriticAugment(strength="adaptive").start(60_000, CPU) is not None
    assert CriticAugment(strength=0).start(100, CPU) is None


@pytest.mark.parametrize("value", ["1.5", "-0.1", "always", "true"])
def test_a_strength_that_is_none_is_refused_in_one_line(value: str) -> None:
    with pytest.raises(ConfigError) as error:
        tiny(f"objective.augment.strength={value}")
    (line,) = str(error.value).splitlines()
    assert "must be auto, adaptive, or a number from 0 to 1" in line


def test_a_critic_without_augmentation_sees_the_images_themselves() -> None:
    (output,) = ConditionedCritic(LINEAR, NO_CODES)(REAL)
    assert output.scores.tolist() == [1, 3]
