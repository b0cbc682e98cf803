"""The data of a config, checked against what shall be made of it."""

from genctl.config.config import Config
from genctl.data.base import Images


def load_data(config: Config) -> tuple[Images, Images]:
    """The training images and the held-out ones, checked against the condition and the networks.

    Raises:
        ConfigError: the settings do not go together.
        Unavailable, BadContent, MissingInput: the data is not to be had.
    """
    data, held_out = config.data.load("train"), config.data.load("test")
    config.condition.check(labelled=bool(data.classes))
    return data, held_out
