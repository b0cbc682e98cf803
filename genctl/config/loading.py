"""The data of a config."""

from genctl.config.config import Config
from genctl.data.base import Images


def load_data(config: Config) -> tuple[Images, Images]:
    """The training images and the test images.

    Raises:
        ConfigError: the condition needs labels, and the data has none.
        Unavailable, BadContent, MissingInput: the data cannot be loaded.
    """
    train, test = config.data.load("train"), config.data.load("test")
    config.condition.check(labelled=bool(train.classes))
    return train, test
