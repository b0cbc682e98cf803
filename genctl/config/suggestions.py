"""Which key was meant by one that does not exist."""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache

from genctl.common.registry import kinds_of
from genctl.common.settings import Settings, nested_settings
from genctl.config.document import KeyPath

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
        if near := _close(key, known) or _with_words_of(key, known):
            return f"; did you mean {known[near]}?"
    if near := _close(key, own, cutoff=0.6) or _sharing_a_word_with(key, own):
        return f"; did you mean {own[near]}?"
    return f"; choose one of {', '.join(own)}" if own else f"; kind {kind} has no settings"


def suggest_word(word: str, known: Iterable[str]) -> str:
    """The word of ``known`` that is closest to ``word``, to be appended to an error message."""
    near = _close(word, known, cutoff=0.6)
    return f"; did you mean {near!r}?" if near else ""


def _close(word: str, known: Iterable[str], cutoff: float = 0.8) -> str:
    return next(iter(get_close_matches(word, list(known), n=1, cutoff=cutoff)), "")


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
    found: dict[str, str] = {}
    for section in sections.model_fields:
        kinds = kinds_of(sections, section).values() or [nested_settings(sections)[section]]
        for settings in kinds:
            for key in settings.model_fields:
                found.setdefault(key, f"{section}.{key}")
            for name, inner in nested_settings(settings).items():
                for key in inner.model_fields:
                    found.setdefault(key, f"{section}.{name}.{key}")
    del found["kind"]
    return found
