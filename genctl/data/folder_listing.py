"""Which pictures of a folder are used, with their classes, captions and splits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from genctl.common.errors import BadContent
from genctl.data.base import Split
from genctl.data.folder_scan import PictureFile, Scan, scan_folder
from genctl.data.folder_table import Table, find_table

SPLITS: tuple[Split, ...] = ("train", "test")


@dataclass(frozen=True)
class Listed:
    """A picture that is used."""

    file: PictureFile
    label: str | None
    caption: str
    split: Split | None  # where a folder says so


@dataclass(frozen=True)
class Listing:
    """The pictures of a folder."""

    root: Path
    pictures: tuple[Listed, ...]
    classes: tuple[str, ...]
    has_captions: bool
    notes: tuple[str, ...]
    """What was left out, with its count: ``4 loose pictures beside the class folders``."""


def list_folder(root: Path, labels: str) -> Listing:
    """List a folder; see ``Folder.labels`` for what ``labels`` can be.

    Raises:
        MissingInput: it is not a folder, or has no table of that name.
        BadContent: it has no pictures, or its table is about none of them.
    """
    scan = scan_folder(root)
    if not scan.pictures:
        others = sum(scan.others.values())
        found = f" among {others:,} files" if others else ""
        raise BadContent(
            f"cannot use data.root {root}: it has no pictures{found}; put PNG or JPEG files "
            "there, in one folder for each class"
        )
    left_out: Counter[str] = Counter()
    if scan.others:
        endings = ", ".join(suffix or "no ending" for suffix, _ in scan.others.most_common(3))
        left_out[f"file(s) without a picture's ending ({endings})"] = sum(scan.others.values())
    has_splits = all((root / split).is_dir() for split in SPLITS)
    pictures: list[Listed] = []
    has_captions = False
    parts: list[tuple[Split | None, str]] = [(None, "")]
    if has_splits:
        parts = [(split, f"{split}/") for split in SPLITS]
    for split, prefix in parts:
        files = [file for file in scan.pictures if file.name.startswith(prefix)]
        table, base = _table(scan, prefix, labels)
        if table is None:
            pictures += _by_folder(files, prefix, split, labels, left_out)
        else:
            pictures += _by_table(files, table, base, prefix, split, left_out)
            has_captions |= table.has_captions
    if has_splits:
        inside = tuple(f"{split}/" for split in SPLITS)
        left_out["picture(s) outside the folders train and test"] = sum(
            not file.name.startswith(inside) for file in scan.pictures
        )
    notes = tuple(counted(count, what) for what, count in left_out.items() if count)
    labels_found = {one.label for one in pictures if one.label is not None}
    classes = tuple(sorted(labels_found, key=_in_order))
    return Listing(root, tuple(pictures), classes, has_captions, notes)


def counted(count: int, what: str) -> str:
    """``1 picture`` or ``2 pictures`` for ``picture(s)``."""
    return f"{count:,} {what.replace('(s)', '' if count == 1 else 's')}"


def _table(scan: Scan, prefix: str, labels: str) -> tuple[Table | None, str]:
    """The table that is about the pictures below ``prefix``, and what its names begin below."""
    if labels in ("folders", "none"):
        return None, ""
    name = None if labels == "auto" else labels
    if prefix and (table := find_table(scan.root / prefix, None)) and name is None:
        return table, prefix
    return find_table(scan.root, name), ""


def _by_folder(
    files: list[PictureFile], prefix: str, split: Split | None, labels: str, left_out: Counter[str]
) -> list[Listed]:
    """A class is the first folder below the root, or below ``prefix``."""
    folders = {file: _folder(file, prefix) for file in files}
    if labels == "none" or not any(folders.values()):
        return [Listed(file, None, "", split) for file in files]
    left_out["loose picture(s) beside the class folders"] += list(folders.values()).count(None)
    return [Listed(file, label, "", split) for file, label in folders.items() if label]


def _by_table(
    files: list[PictureFile],
    table: Table,
    base: str,
    prefix: str,
    split: Split | None,
    left_out: Counter[str],
) -> list[Listed]:
    """What the table says; where it has no labels, two or more folders are classes."""
    rows = {base + name: row for name, row in table.rows.items()}
    used = [file for file in files if file.name in rows]
    if not used:
        raise BadContent(
            f"cannot use {table.path}: it is about none of the {len(files):,} pictures below "
            f"{table.path.parent / prefix.removeprefix(base)}; its file_name is a path below its "
            "folder"
        )
    folders = {file: _folder(file, prefix) for file in used}
    if table.has_labels:
        label_of = {file: rows[file.name].label for file in used}
        left_out[f"picture(s) without a label in {table.path.name}"] += sum(
            label is None for label in label_of.values()
        )
        used = [file for file in used if label_of[file] is not None]
    elif None not in folders.values() and len(set(folders.values())) > 1:
        label_of = folders
    else:
        label_of = dict.fromkeys(used)
    names = {file.name for file in files}
    left_out[f"picture(s) that {table.path.name} does not name"] += len(files) - len(folders)
    left_out[f"row(s) of {table.path.name} without a picture"] += sum(
        name.startswith(prefix) and name not in names for name in rows
    )
    if base == prefix or split == SPLITS[0]:  # else they were counted for the other split
        left_out[f"further row(s) of {table.path.name} about the same picture"] += table.repeated
    if table.has_captions and not all(rows[file.name].text for file in used):
        left_out[f"picture(s) without a caption in {table.path.name}"] += sum(
            not rows[file.name].text for file in used
        )
        used = [file for file in used if rows[file.name].text]
    return [Listed(file, label_of[file], rows[file.name].text or "", split) for file in used]


def _folder(file: PictureFile, prefix: str) -> str | None:
    """The first folder below ``prefix``; None for a loose picture."""
    first, slash, _ = file.name[len(prefix) :].partition("/")
    return first if slash else None


def _in_order(name: str) -> tuple[bool, int, str]:
    """Numbers in their order, then words in theirs."""
    is_number = name.isdecimal() and name.isascii() and len(name) < 20
    return not is_number, int(name) if is_number else 0, name
