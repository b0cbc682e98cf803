"""What the scores mean, in words, where something is wrong."""

from collections.abc import Sequence

from torch import Tensor

MIN_DIVERSITY = 0.5
MIN_KAPPA = 0.1  # 0 is chance, 1 is agreement
MIN_SHARE = 1 / 4  # of a class's share among real images
MAX_NAMES = 20  # of missing classes; more are counted
MAX_COPIES = 0.05  # more than among real images


def warnings(
    scores: dict[str, float],
    real: dict[str, float],
    asked: Tensor,
    shares: Tensor,
    classes: Sequence[str],
) -> list[str]:
    """Everything that a user should look at.

    Args:
        scores: of the model.
        real: of real images.
        asked: the share (classes,) of each class among what the model was asked for.
        shares: the share (classes,) of each among what it drew.
        classes: their names.
    """
    found = []
    diversity = scores.get("diversity", 1.0)
    if diversity < MIN_DIVERSITY:
        found.append(
            f"z is ignored: samples of one condition differ {diversity:.2f} times as much as real "
            "images of a class do"
        )
    chance = float((asked * shares).sum())
    if "agreement" in scores and scores["agreement"] - chance < MIN_KAPPA * (1 - chance):
        found.append(
            f"the condition is ignored: {scores['agreement']:.1%} of the samples show what was "
            f"asked for, {chance:.1%} would by chance"
        )
    if "modes" in scores:
        found += _missing_modes(scores["modes"], real["modes"], len(classes))
    else:
        found += _missing_classes(asked, shares, classes)
    if scores["copies"] > real["copies"] + MAX_COPIES:
        found.append(
            f"copies of training images: {scores['copies']:.1%} of the samples, "
            f"{real['copies']:.1%} of real ones"
        )
    return found


def _missing_modes(modes: float, real: float, count: int) -> list[str]:
    """Combinations that are not drawn, if more than as many real images lack by chance."""
    missing, by_chance = round(count - modes), count - real
    if missing <= by_chance + 3 * by_chance**0.5:
        return []
    return [f"modes missing: {missing:,} of {count:,}"]


def _missing_classes(asked: Tensor, shares: Tensor, classes: Sequence[str]) -> list[str]:
    missing = [
        name
        for name, wanted, drawn in zip(classes, asked.tolist(), shares.tolist(), strict=True)
        if drawn < MIN_SHARE * wanted
    ]
    if not missing:
        return []
    what = "digits" if all(name.isdecimal() for name in classes) else "classes"
    if len(missing) > MAX_NAMES:
        return [f"{what} missing: {len(missing):,} of {len(classes):,}"]
    return [f"{what} missing: {', '.join(missing)}"]
