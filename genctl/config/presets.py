"""The configs that are part of genctl."""

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from genctl.common.errors import MissingInput
from genctl.common.nearest import nearest


def _folder() -> Path | Traversable:
    """Inside an installed package, or beside the package in a source checkout."""
    packaged = resources.files("genctl") / "configs"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "configs"


def names() -> list[str]:
    """The names of all presets."""
    found = (entry.name for entry in _folder().iterdir())
    return sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml"))


def exists(name: str) -> bool:
    """Whether a preset is called ``name``, which may end in ``.yaml``."""
    return name.removesuffix(".yaml") in names()


def text(name: str) -> str:
    """The YAML text of the preset ``name``, which may end in ``.yaml``.

    Raises:
        MissingInput: no preset has that name.
    """
    stem = name.removesuffix(".yaml")
    if not exists(stem):
        near = nearest(stem, names())
        hint = f"did you mean {near}?" if near else f"presets are {', '.join(names())}"
        raise MissingInput(f"cannot find {name}: no such file, and no preset of that name; {hint}")
    return (_folder() / f"{stem}.yaml").read_text(encoding="utf-8")


def summary(name: str) -> str:
    """The first line of a preset: its purpose."""
    return text(name).splitlines()[0].lstrip("# ")
