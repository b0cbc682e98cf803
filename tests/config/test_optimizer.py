"""Learning rates over a run."""

import pytest

from genctl.config.optimizer import OptimizerSettings


def test_every_role_has_its_own_learning_rate_or_the_common_one() -> None:
    settings = OptimizerSettings(
        learning_rate=1e-3, critic_learning_rate=2e-3, encoder_learning_rate=3e-3
    )
    roles = ("generator", "posterior", "critic", "encoder")
    rates = [settings.learning_rate_at(role, 0, 0.0) for role in roles]
    assert rates == [1e-3, 1e-3, 2e-3, 3e-3]
    assert OptimizerSettings(learning_rate=1e-3).learning_rate_at("critic", 0, 0.5) == 1e-3


@pytest.mark.parametrize(
    ("schedule", "progress", "factor"),
    [
        ("none", 0.9, 1.0),
        ("linear", 0.0, 1.0),
        ("linear", 0.5, 1.0),
        ("linear", 0.75, 0.5),
        ("linear", 1.0, 0.0),
        ("cosine", 0.5, 1.0),
        ("cosine", 0.625, 0.8535533905932737),  # (1 + cos 45°) / 2
        ("cosine", 0.75, 0.5),
        ("cosine", 1.0, 0.0),
    ],
)
def test_learning_rates_fall_from_the_start_of_the_schedule(
    schedule: str, progress: float, factor: float
) -> None:
    settings = OptimizerSettings.model_validate({"schedule": schedule, "schedule_start": 0.5})
    assert settings.schedule_factor(10**9, progress) == pytest.approx(factor, abs=1e-12)


def test_learning_rates_rise_during_the_warmup() -> None:
    settings = OptimizerSettings(warmup_images=100)
    factors = [settings.schedule_factor(images, 0.0) for images in (0, 49, 99, 1000)]
    assert factors == [0.01, 0.5, 1.0, 1.0]


def test_without_a_warmup_the_first_step_is_a_full_one() -> None:
    assert OptimizerSettings().schedule_factor(0, 0.0) == 1.0
