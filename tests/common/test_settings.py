"""The docstrings of settings."""

from typing import ClassVar

from pydantic import ConfigDict

from genctl.common.settings import Settings, field_docstrings


class Parent(Settings):
    """Some settings, whose descriptions pydantic reads."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    side: ClassVar[int] = 3
    """Not a setting."""
    size: int = 1
    """The first."""
    depth: int = 2
    bare: int = 3
    """Two lines,
    the second of which is indented.

    And a paragraph.
    """

    def area(self) -> int:
        """Not a setting either."""
        return self.size**2


class Child(Parent):
    """Inherits one description and replaces another."""

    size: int = 5
    """The first, of the child."""


def test_docstrings_are_the_descriptions_that_pydantic_reads() -> None:
    for settings in (Parent, Child):
        described = {
            name: field.description
            for name, field in settings.model_fields.items()
            if field.description
        }
        assert field_docstrings(settings) == described
    assert field_docstrings(Child)["size"] == "The first, of the child."
    assert set(field_docstrings(Child)) == {"size", "bare"}
