"""Which key was meant by one that does not exist."""

from collections.abc import Iterable
from functools import cache

from genctl.common.nearest import nearest
from genctl.common.registry import kinds_of
from genctl.common.settings import Settings, nested_settings
from genctl.config.document import KeyPath
from genctl.config.keys import every_key

Sections = type[Settings]  # the class whose fields are the sections of a file


def suggest_key(path: KeyPath, kind: str | None, sections: Sections) -> str:
    """What to do about an unknown key, to be appended to "unknown key".

    Args:
        path: where the key stands.
        kind: the kind of its section, where the section has kinds.
        sections: the class that describes a whole config.
    """
    *parents, key = map(str, path)
    kinds = kinds_of(sections, parents[0]) if len(parents) == 1 else {}
    others = [name for name, settings in kinds.items() if key in settings.model_fields]
    if others:
        return f" of kind {kind}; it belongs to {', '.join(others)}"
    own = {name: ".".join([*parents, name]) for name in _keys(parents, kind, sections)}
    for known in (own, _keys_anywhere(sections)):
        if near := nearest(key, known, cutoff=0.8) or _with_words_of(key, known):
            return f"; did you mean {known[near]}?"
    if near := nearest(key, own) or _sharing_a_word_with(key, own):
        return f"; did you mean {own[near]}?"
    return f"; choose one of {', '.join(own)}" if own else f"; kind {kind} has no settings"


def _with_words_of(key: str, known: Iterable[str]) -> str:
    """A key with all the words of ``key``: ``num_samples`` for ``samples``."""
    words = set(key.split("_"))
    return next((name for name in known if words <= set(name.split("_"))), "")


def _sharing_a_word_with(key: str, known: Iterable[str]) -> str:
    """A key with one of the words of ``key``: ``z_dim`` for ``z_width``."""
    words = set(key.split("_"))
    return next((name for name in known if words & set(name.split("_"))), "")


def _keys(parents: list[str], kind: str | None, sections: Sections) -> list[str]:
    """The keys that exist below ``parents``, but for ``kind``."""
    settings = sections
    for depth, name in enumerate(parents):
        kinds = kinds_of(sections, name) if depth == 0 else {}
        settings = kinds[str(kind)] if kinds else nested_settings(settings)[name]
    return [name for name in settings.model_fields if name != "kind"]


@cache
def _keys_anywhere(sections: Sections) -> dict[str, str]:
    """The first path of every key that any section of any kind has."""
    found: dict[str, str] = {name: name for name in sections.model_fields}
    for key in every_key(sections):
        found.setdefault(key.name, key.path)
    del found["kind"]
    return found
