"""What a search chooses its points from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial, Trial

from genctl.sweeps.axes import Axis, Range
from genctl.sweeps.plan import Budget, Point


@dataclass(frozen=True)
class Space:
    """What a search chooses from, and what all its trials share."""

    base: Point
    searches: Sequence[Axis | Range]
    seeds: Sequence[int]
    budget: Budget
    trials: int

    def suggest(self, trial: Trial) -> Point:
        """The point of a trial: values that it has already, or new ones."""
        chosen = []
        for one in self.searches:
            if isinstance(one, Axis):
                text = str(trial.suggest_categorical(one.key, one.values))
            elif one.is_integer:
                low, high = int(one.low), int(one.high)
                text = one.text(trial.suggest_int(one.key, low, high, log=one.is_log))
            else:
                text = one.text(trial.suggest_float(one.key, one.low, one.high, log=one.is_log))
            chosen.append((one.key, text))
        return Point(self.base.config, (*self.base.settings, *chosen))

    def point_of(self, trial: FrozenTrial) -> Point:
        """The point of a trial that has all its values."""
        texts = [
            (one.key, str(trial.params[one.key]) if isinstance(one, Axis)
             else one.text(trial.params[one.key]))
            for one in self.searches
        ]  # fmt: skip
        return Point(self.base.config, (*self.base.settings, *texts))
