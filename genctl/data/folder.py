"""Pictures of your own: a folder of images, or one folder for each class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from genctl.common.reporting import SILENT, Reporter
from genctl.data.base import Data, Images, Root, Split

if TYPE_CHECKING:
    from genctl.data.folder_listing import Listing
    from genctl.data.folder_pixels import Pixels


class Folder(Data):
    """All pictures below a folder, at any depth; where it has subfolders, each is a class."""

    kind: Literal["folder"] = "folder"
    root: Root
    """The folder. Where it holds `train` and `test`, these are the two splits."""
    test_fraction: float = Field(default=0.1, ge=0, lt=1)
    """Fraction of the pictures kept for testing, chosen by a hash of their names; unused where
    there are folders `train` and `test`."""
    labels: str = Field(default="auto", min_length=1)
    """Where classes and captions come from: `folders`, a class is the first folder below the root;
    `none`, there are none; a file below the root, `metadata.jsonl` or a CSV file with the columns
    `file_name` and `label` or `text`. `auto` is such a file where there is one, else `folders`."""
    resize: Literal["crop", "fit", "pad"] = "crop"
    """How a picture becomes square: `crop` cuts off its longer side, `fit` squeezes it, `pad` adds
    ground at both sides."""
    ground: Literal["auto", "black", "white"] = "auto"
    """What shows through transparent pictures and around padded ones: the same for all. `auto` is
    the one that more of them stand out from."""
    mirror: bool = False
    """Train on every picture and its mirror image. Wrong for digits, letters, and captions with
    left and right."""
    even_classes: bool = False
    """Show every class equally often, however many pictures it has."""
    max_broken: float = Field(default=0.01, ge=0, lt=1)
    """Largest fraction of broken files that is left out; with more, nothing is trained."""

    @field_validator("labels")
    @classmethod
    def _inside(cls, value: str) -> str:
        if "\0" in value or Path(value).is_absolute() or ".." in Path(value).parts:
            raise ValueError("must be auto, folders, none, or the name of a file below data.root")
        return value

    @property
    def transparent_ground(self) -> Literal["black", "white"] | None:
        """`ground`, where it is given."""
        return None if self.ground == "auto" else self.ground

    def local_path(self) -> Path | None:
        """The folder, if there is one."""
        root = Path(self.root).expanduser()
        return root if root.is_dir() else None

    def load(self, split: Split) -> Images:
        """All pictures of one split.

        Raises:
            MissingInput: the folder is not there or cannot be read.
            BadContent: it has no pictures, or too many broken ones.
        """
        (images,) = self._load([split], SILENT)
        return images

    def load_splits(self, reporter: Reporter) -> tuple[Images, Images]:
        """The pictures to train on and to test on; says what is left out, and why.

        Raises:
            MissingInput: the folder is not there or cannot be read.
            BadContent: it has no pictures, or too many broken ones.
        """
        train, test = self._load(("train", "test"), reporter)
        return train, test

    def _load(self, splits: Sequence[Split], reporter: Reporter) -> list[Images]:
        from genctl.data.folder_images import ImageOptions, require_images, split_images

        listing, pixels = self.read(reporter)
        options = ImageOptions(
            self.channels,
            self.ground,
            self.test_fraction,
            self.mirror,
            self.even_classes,
            self.max_broken,
        )
        images = split_images(options, listing, pixels, reporter)
        for split in splits:
            require_images(images[split], split, self.root, self.test_fraction)
        return [images[split] for split in splits]

    def read(self, reporter: Reporter) -> tuple[Listing, Pixels]:
        """Which pictures there are, and their pixels.

        Raises:
            MissingInput: the folder is not there or cannot be read.
            BadContent: it has no pictures.
        """
        from genctl.data.folder_cache import cached_pixels
        from genctl.data.folder_listing import list_folder

        listing = list_folder(Path(self.root).expanduser(), self.labels)
        listed = [picture.file for picture in listing.pictures]
        return listing, cached_pixels(listing.root, listed, self.image_size, self.resize, reporter)
