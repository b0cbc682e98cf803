"""A config: where it is read from, how it is written, and what makes two of them the same."""

from contextlib import suppress
from pathlib import Path

import pytest

from genctl.common.errors import ConfigError
from genctl.config import config as configs
from genctl.config import presets


def test_a_directory_is_refused_unless_a_preset_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "tiny"):
        (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match="mine: is a directory"):
        configs.load("mine")
    assert configs.load("tiny") == configs.load("tiny.yaml")


@pytest.mark.parametrize("preset", presets.names())
def test_dump_and_parse_are_inverse(preset: str) -> None:
    config = configs.load(preset)
    assert configs.parse(configs.dump(config), "dumped") == config


@pytest.mark.parametrize("root", ["1e-3", "null", "on", "010", "a: b", "~", "'", "", "ü \u2028"])
def test_a_string_that_looks_like_another_value_survives_dumping(root: str) -> None:
    config = configs.Config(data={"kind": "folder", "root": root})  # type: ignore[arg-type]
    assert configs.parse(configs.dump(config), "dumped") == config


BOOKKEEPING = ["training.images=7", "training.checkpoint_every=7", "training.log_every=7",
               "training.keep=7", "training.engine=eager", "training.deterministic=true",
               "training.threads=7", "data.root=elsewhere"]  # fmt: skip


def test_bookkeeping_does_not_change_the_digest() -> None:
    config, other = configs.load("mnist_gan"), configs.load("mnist_gan", BOOKKEEPING)
    assert other != config
    assert configs.digest(other) == configs.digest(config)
    assert configs.differences(config, other) == []


CANDIDATES = ["1", "2", "3", "0.5", "0.25", "1000", "true", "false", "[0.1, 0.2]", "[8, 8, 8]",
              "fp32", "cosine", "spectral", "pooled", "instance", "strokes"]  # fmt: skip


def changed(key: str, config: configs.Config) -> configs.Config:
    """``config`` of mnist_cgan with another valid value of one setting."""
    for candidate in CANDIDATES:
        with suppress(ConfigError):
            other = configs.load("mnist_cgan", [f"{key}={candidate}"])
            if other != config:
                return other
    raise AssertionError(f"add a value of {key} to CANDIDATES")


def test_every_other_setting_changes_the_digest_and_is_listed() -> None:
    config = configs.load("mnist_cgan")
    left = {option.partition("=")[0] for option in BOOKKEEPING} | {
        "data.kind", "data.image_size", "condition.kind", "networks.kind", "objective.kind"
    }  # fmt: skip
    keys = configs.flatten(config.model_dump()).keys() - left
    others = {key: changed(key, config) for key in keys}  # but those that never change alone
    for key, other in others.items():
        (line,) = configs.differences(config, other)
        assert line.startswith(f"{key}: ")
    assert len({configs.digest(other) for other in [config, *others.values()]}) == 1 + len(others)


def test_the_root_of_a_folder_of_pictures_changes_the_digest() -> None:
    one, other = (
        configs.parse("data: {kind: folder, root: x}", "f", [f"data.root={root}"])
        for root in ("cats", "dogs")
    )
    assert configs.differences(one, other) == ["data.root: cats -> dogs"]
    assert configs.digest(one) != configs.digest(other)


def test_settings_that_only_one_kind_has_are_not_set_for_the_other() -> None:
    text = "objective: {kind: nonsaturating, gamma: 0.3}"
    old, new = configs.parse(text, "old"), configs.parse(text, "new", ["objective.kind=wgan_gp"])
    assert configs.differences(old, new) == [
        "objective.critic_steps: (not set) -> 5",
        "objective.gamma: 0.3 -> (not set)",
        "objective.gradient_penalty_weight: (not set) -> 10.0",
        "objective.kind: nonsaturating -> wgan_gp",
        "objective.r1_interval: 8 -> (not set)",
    ]


def test_how_a_number_is_written_does_not_matter() -> None:
    one = configs.parse("objective: {kind: vae, beta: 1}", "one")
    other = configs.parse("objective:\n  beta: 1.0e0\n  kind: 'vae'\n", "other")
    assert one == other
    assert configs.digest(one) == configs.digest(other)


def test_flatten_joins_section_and_key() -> None:
    assert configs.flatten({"a": {"b": 1, "c": 2}, "d": {}}) == {"a.b": 1, "a.c": 2}
