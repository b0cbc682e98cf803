"""The nearest of some words."""

from genctl.common.nearest import did_you_mean, nearest


def test_the_most_similar_word_is_found() -> None:
    assert nearest("hing", ["vae", "hinges", "hinge"]) == "hinge"
    assert did_you_mean("hing", iter(["hinge", "vae"])) == "; did you mean 'hinge'?"


def test_nothing_is_suggested_where_nothing_is_similar() -> None:
    assert nearest("x", ["hinge", "vae"]) == ""
    assert did_you_mean("x", ["hinge", "vae"]) == ""
    assert nearest("hung", ["hinge"], cutoff=0.9) == ""
