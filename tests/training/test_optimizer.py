"""Step sizes over the life of a run."""

import pytest

from genctl.config.optimizer import OptimizerSettings


def test_every_role_has_its_own_rate_or_the_common_one() -> None:
    settings = OptimizerSettings(
        learning_rate=1e-3, critic_learning_rate=2e-3, encoder_learning_rate=3e-3
    )
    rates = {role: settings.rate(role, 0, 0.0) for role in ("generator", "posterior", "critic")}
    assert rates == {"generator": 1e-3, "posterior": 1e-3, "critic": 2e-3}
    assert settings.rate("encoder", 0, 0.0) == 3e-3
    assert OptimizerSettings(learning_rate=1e-3).rate("critic", 0, 0.5) == 1e-3


@pytest.mark.parametrize(
    ("decay", "progress", "factor"),
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
def test_rates_fall_from_where_the_fall_begins(decay: str, progress: float, factor: float) -> None:
    settings = OptimizerSettings.model_validate({"decay": decay, "schedule_start": 0.5})
    assert settings.rate_factor(10**9, progress) == pytest.approx(factor, abs=1e-12)


def test_rates_rise_over_the_first_images() -> None:
    settings = OptimizerSettings(warmup_images=100)
    factors = [settings.rate_factor(seen, 0.0) for seen in (0, 49, 99, 1000)]
    assert factors == [0.01, 0.5, 1.0, 1.0]


def test_without_a_warmup_the_first_step_is_a_whole_one() -> None:
    assert OptimizerSettings().rate_factor(0, 0.0) == 1.0
