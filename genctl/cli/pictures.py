"""A config for a folder of pictures: what ``configs new`` writes and ``train --data`` trains."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from genctl.common.reporting import Reporter
from genctl.config.proposal import propose, seen
from genctl.data.folder import Folder
from genctl.data.folder_survey import survey

MAX_BROKEN = Folder.model_fields["max_broken"].default


@dataclass(frozen=True)
class PicturesConfig:
    """The text of a config, and what was seen in the folder."""

    text: str
    seen: list[str]  # for people
    facts: dict[str, Any]  # for programs


def config_for(pictures: Path, name: str, size: int | None, reporter: Reporter) -> PicturesConfig:
    """Look at a folder, and choose a config for it.

    Args:
        pictures: the folder.
        name: what the config will be called.
        size: the image size; None to choose one.
        reporter: shows the progress.

    Raises:
        MissingInput: it is not a folder, or cannot be read.
        BadContent: it cannot be trained on.
    """
    found = survey(pictures.expanduser(), size, MAX_BROKEN, reporter)
    text = propose(found, name, asked_size=size is not None)
    facts = asdict(found) | {"root": str(found.root)}
    return PicturesConfig(text, seen(found), facts)
