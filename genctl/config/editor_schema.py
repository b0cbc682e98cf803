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


def write_with_schema(file: Path, text: str) -> Path:
    """Write a new config, and beside it the schema, over one of another version of genctl.

    Returns:
        The path of the schema.

    Raises:
        CannotCreate: ``file`` exists, a file with the schema's name is something else, or the
            folder cannot be written to.
        WriteFailed: writing failed.
    """
    if file.exists():
        raise CannotCreate(f"cannot write {file}: it exists; choose another name")
    path, schema = file.parent / FILE_NAME, configs.schema()
    if path.exists() and not _is_ours(path):
        raise CannotCreate(
            f"cannot write {path}: it exists and is not a schema of genctl; rename it"
        )
    # The config first: a full disk then leaves nothing behind.
    files.atomic_write(file, (MODELINE + text).encode())
    files.atomic_write(path, (json.dumps(schema, indent=2) + "\n").encode())
    return path


def _is_ours(path: Path) -> bool:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("title") == configs.SCHEMA_TITLE
