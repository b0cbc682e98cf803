"""The data of a config."""

from genctl.common.reporting import SILENT, Reporter
from genctl.config.config import Config
from genctl.data.base import Images


def load_data(config: Config, reporter: Reporter = SILENT) -> tuple[Images, Images]:
    """The training images and the test images; ``reporter`` hears what is worth knowing.

    Raises:
        ConfigError: the condition needs labels, and the data has none.
        Unavailable, BadContent, MissingInput: the data cannot be loaded.
    """
    train, test = config.data.load_splits(reporter)
    config.condition.check(labelled=bool(train.classes))
    return config.condition.prepare(config.data, train, test)
