"""What data sets of light pen strokes on a dark ground have in common."""

from __future__ import annotations

from typing import Literal

from genctl.data.base import Data


class Strokes(Data):
    """Pictures whose strokes can be measured, and described in words."""

    captions: Literal["none", "strokes"] = "none"
    """`strokes`: for `condition.kind: text`, captions that say the class of each picture, and how
    thick, slanted, wide and large it is, as measured."""

    @property
    def caption_attributes(self) -> tuple[int, ...]:
        """A third of each measure."""
        from genctl.data.strokes.names import MEASURES, THIRDS

        return () if self.captions == "none" else (THIRDS,) * len(MEASURES)
