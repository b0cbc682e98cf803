"""A model card as Markdown, and the picture beside it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from genctl.common import files
from genctl.common.errors import CannotCreate, GenctlError
from genctl.data.pictures import read_picture
from genctl.reports.card import Card, build_card, model_images
from genctl.reports.grids import Notify
from genctl.reports.history import History
from genctl.reports.markdown import Markdown, escape, link

NAME = "README.md"
"""What the Hugging Face Hub shows as the card of a model."""
SEAL = "<!-- written by genctl card: "
"""Begins the last line, which holds a hash of the rest: whether somebody changed the file."""


def write_card(history: History, out: Path | None, warn: Notify) -> Path:
    """Write the card of a run, into the run or to ``out``; whole or not at all.

    Outside of the run, a copy of the sample grid is written beside it.

    Args:
        history: the run.
        out: the file to write; by default README.md in the run directory.
        warn: called with a line if the sample grid cannot be read.

    Raises:
        MissingInput: the run has no model yet.
        CannotCreate: the README.md of the run was written or changed by somebody.
        WriteFailed: the disk is full.
    """
    card = build_card(history)
    target = history.run.path / NAME if out is None else out
    if out is None:
        _require_own(target)
    found = _grid(history, warn)
    if found is None or not (target.is_file() or not target.exists()):
        files.atomic_write(target, render(card, None))  # a pipe has no place beside it
        return target
    images, grid = found[0], found[1].resolve()
    files.make_folder(target.parent)
    folder = target.parent.resolve()
    if grid.is_relative_to(folder):
        content = render(card, grid.relative_to(folder).as_posix(), images)
        files.atomic_write(target, content)
        return target
    copy = target.with_name(f"{target.stem}-samples.png")
    existed = copy.exists()
    files.atomic_write(copy, grid.read_bytes())
    try:
        files.atomic_write(target, render(card, copy.name, images))
    except BaseException:
        if not existed:
            copy.unlink(missing_ok=True)
        raise
    return target


def render(card: Card, picture: str | None, images: int = 0) -> bytes:
    """The card as Markdown in UTF-8.

    Args:
        card: its content; all text in it is escaped.
        picture: the path of the sample grid, relative to the card.
        images: real images seen in training at that grid.
    """
    import yaml
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("genctl.reports"),
        autoescape=False,  # that is for HTML
        finalize=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["link"] = link
    front_matter = yaml.safe_dump(card.metadata, sort_keys=False, allow_unicode=True)
    text = environment.get_template("card.md").render(
        card=card, picture=picture, images=f"{images:,}", front_matter=Markdown(front_matter)
    )
    # The name of a file need not be valid text.
    text = text.encode(errors="replace").decode()
    return f"{text}\n{SEAL}{_digest(text)} -->\n".encode()


def _grid(history: History, warn: Notify) -> tuple[int, Path] | None:
    """The sample grid nearest to the model, if there is one that can be read."""
    if not history.grids:
        return None
    seen = model_images(history)
    grid = min(history.grids, key=lambda grid: (abs(grid[0] - seen), -grid[0]))
    try:
        read_picture(grid[1])
    except GenctlError as error:
        warn(str(error))
        return None
    return grid


def _require_own(path: Path) -> None:
    """Refuse to replace a file that somebody wrote or changed.

    Raises:
        CannotCreate: it is not as ``write_card`` left it.
    """
    if not path.exists():
        return
    try:
        text, seal, rest = path.read_text(encoding="utf-8").rpartition(f"\n{SEAL}")
    except (OSError, UnicodeDecodeError):
        text = seal = rest = ""
    if not seal or rest.strip() != f"{_digest(text)} -->":
        raise CannotCreate(
            f"cannot write {path}: it was changed by hand; name another --out, or delete it"
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
