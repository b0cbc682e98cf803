"""Warnings about scores that show a known failure."""

from collections.abc import Sequence

from torch import Tensor

MIN_DIVERSITY = 0.5
MIN_KAPPA = 0.1  # agreement rescaled: 0 is chance, 1 is perfect
MIN_SHARE = 1 / 4  # of a class, relative to its share among the conditions
MAX_NAMES = 20  # of missing classes; more are counted
MAX_COPIES = 0.05  # more than among real images


def warnings(
    scores: dict[str, float],
    real: dict[str, float],
    expected_shares: Tensor,
    shares: Tensor,
    classes: Sequence[str],
) -> list[str]:
    """One line for each failure: ignored z, ignored condition, missing classes, copies.

    Args:
        scores: of the model.
        real: of real images.
        expected_shares: the share (num_classes,) of each class among the conditions.
        shares: the share (num_classes,) of each class among the samples.
        classes: their names.
    """
    found = []
    diversity = scores.get("diversity", 1.0)
    if diversity < MIN_DIVERSITY:
        found.append(
            f"z is ignored: samples of one condition differ only {diversity:.2f} times as much as "
            "real images of one class"
        )
    chance = float((expected_shares * shares).sum())
    if "agreement" in scores and scores["agreement"] - chance < MIN_KAPPA * (1 - chance):
        found.append(
            f"the condition is ignored: {scores['agreement']:.1%} of the samples are of the class "
            f"of their condition, and {chance:.1%} would be by chance"
        )
    if "modes" in scores:
        found += _missing_modes(scores["modes"], real["modes"], len(classes))
    else:
        found += _missing_classes(expected_shares, shares, classes)
    if scores["copies"] > real["copies"] + MAX_COPIES:
        found.append(
            f"copies of training images: {scores['copies']:.1%} of the samples, but "
            f"{real['copies']:.1%} of real images"
        )
    return found


def _missing_modes(modes: float, real_modes: float, count: int) -> list[str]:
    """Modes are missing if clearly more are than among as many real images, by chance."""
    missing, by_chance = round(count - modes), count - real_modes
    if missing <= by_chance + 3 * by_chance**0.5:
        return []
    return [f"modes missing: {missing:,} of {count:,}"]


def _missing_classes(expected_shares: Tensor, shares: Tensor, classes: Sequence[str]) -> list[str]:
    missing = [
        name
        for name, expected, share in zip(
            classes, expected_shares.tolist(), shares.tolist(), strict=True
        )
        if share < MIN_SHARE * expected
    ]
    if not missing:
        return []
    what = "digits" if all(name.isdecimal() for name in classes) else "classes"
    if len(missing) > MAX_NAMES:
        return [f"{what} missing: {len(missing):,} of {len(classes):,}"]
    return [f"{what} missing: {', '.join(missing)}"]
