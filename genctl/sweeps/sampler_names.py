"""The names of the samplers, which the command line offers without loading Optuna."""

from enum import StrEnum


class Sampler(StrEnum):
    """How a search chooses the next values."""

    tpe = "tpe"
    gp = "gp"
    qmc = "qmc"
    random = "random"
