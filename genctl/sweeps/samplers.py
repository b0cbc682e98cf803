"""The samplers of Optuna, made a function of what is known and of the number of the trial."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler, QMCSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from genctl.sweeps.sampler_names import Sampler

Result = TypeVar("Result")


def make_sampler(kind: Sampler, seed: int) -> BaseSampler:
    """A sampler that several processes can use without asking for the same values.

    Args:
        kind: which one.
        seed: of its random numbers.
    """
    match kind:
        case Sampler.random:
            return SamplerByTrial(lambda number: RandomSampler(seed=mixed(seed, number)))
        case Sampler.qmc:  # counts what all processes have asked for, in the storage
            return _quietly(lambda: QMCSampler(seed=seed, warn_independent_sampling=False))
        case Sampler.gp:
            return SamplerByTrial(lambda number: GPSampler(seed=mixed(seed, number)))
        case Sampler.tpe:
            return SamplerByTrial(lambda number: TPESampler(seed=mixed(seed, number)))


def mixed(seed: int, number: int) -> int:
    """A seed for each trial: generators of neighbouring seeds begin with similar numbers."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


class SamplerByTrial(BaseSampler):
    """Begins anew with each trial, so that a sweep that was interrupted asks for the same values.

    Args:
        make: returns the sampler of the trial of a number.
    """

    def __init__(self, make: Callable[[int], BaseSampler]) -> None:
        self.make = make
        self._number, self._sampler = -1, _quietly(lambda: make(0))

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """What is sampled together."""
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Values of what is sampled together."""
        sampler = self._of(trial)
        return _quietly(lambda: sampler.sample_relative(study, trial, search_space))

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """The value of one setting."""
        return self._of(trial).sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Prepare for a trial."""
        self._of(trial).before_trial(study, trial)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Learn from a trial."""
        self._of(trial).after_trial(study, trial, state, values)

    def _of(self, trial: FrozenTrial) -> BaseSampler:
        if trial.number != self._number:
            self._number = trial.number
            self._sampler = _quietly(lambda: self.make(trial.number))
        return self._sampler


def _quietly(work: Callable[[], Result]) -> Result:
    """Do without Optuna's warnings, of what is experimental and of trials that diverged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return work()
