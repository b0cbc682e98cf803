"""What editors need to complete and check a config: a schema beside it, and a line that names it.

A file beside the config needs no network, and moves with it to other machines and into git.
"""

import json
from pathlib import Path

from genctl.common import files
from genctl.common.errors import CannotCreate
from genctl.config import config as configs

FILE_NAME = "genctl.schema.json"

MODELINE = f"# yaml-language-server: $schema={FILE_NAME}\n"
"""The first line of a config; relative paths begin at the config."""


def write_schema(folder: Path) -> Path:
    """Write the schema into ``folder``, over one of another version of genctl.

    Raises:
        CannotCreate: a file of that name is something else, or the folder cannot be written to.
        WriteFailed: writing failed.
    """
    path, schema = folder / FILE_NAME, configs.schema()
    if path.exists() and not _is_ours(path):
        raise CannotCreate(
            f"cannot write {path}: it exists and is not a schema of genctl; rename it"
        )
    files.atomic_write(path, (json.dumps(schema, indent=2) + "\n").encode())
    return path


def _is_ours(path: Path) -> bool:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("title") == configs.SCHEMA_TITLE
