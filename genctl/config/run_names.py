"""The name of a run without ``--name``."""

from pathlib import Path

from genctl.config import config as configs
from genctl.config.config import Config


def default_name(config: Config, source: str) -> str:
    """``<config>-<8 hex digits of everything that changes the result>``."""
    return f"{Path(source).name.removesuffix('.yaml')}-{configs.digest(config)[:8]}"
