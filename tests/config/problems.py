"""What is wrong with a config."""

import pytest

from genctl.common.errors import ConfigError
from genctl.config import config as configs


def problems_of(text: str, *overrides: str) -> list[str]:
    """The messages with which ``text`` is refused when it is read from ``file.yaml``."""
    with pytest.raises(ConfigError) as raised:
        configs.parse(text, "file.yaml", list(overrides))
    return raised.value.problems
