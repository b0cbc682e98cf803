"""A config: what is accepted, what is refused in which words, and what names a run."""

import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest

from genctl.common.errors import ConfigError, MissingInput
from genctl.config import config as configs
from genctl.config import presets


def refusals(text: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        configs.parse(text, "file.yaml", list(overrides))
    return raised.value.problems


# -- what is wrong, in the words of the file ------------------------------------------------------


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines() -> None:
    text = """\
training:
  images: many
  seed: 1
  seed: 2
  btach_size: 64
objective: {kind: hing}
data: {kind: digits, subset: letters}
trainig: {}
"""
    assert refusals(text) == [
        "file.yaml:2: training.images: must be an integer, found the text 'many'",
        "file.yaml:4: training.seed: duplicate key, first on line 3",
        "file.yaml:5: training.btach_size: unknown key; did you mean 'batch_size'?",
        "file.yaml:6: objective.kind: the text 'hing' is not one of "
        f"{', '.join(configs.kinds('objectives'))}; did you mean 'hinge'?",
        "file.yaml:7: data.subset: unknown key of kind digits; it belongs to emnist",
        "file.yaml:8: trainig: unknown key; did you mean 'training'?",
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("objective: {kind: nonsaturating, gama: 1}", "objective.gama: unknown key; did you mean "
         "'gamma'?"),
        ("condition: {kind: none, shift: 1}", "condition.augment.translate: unknown key of kind none; it "
         "belongs to image"),
        ("learning_rate: 1", "learning_rate: unknown key; did you mean optimizer.learning_rate?"),
        ("data: {kind: digits, batch_size: 4}", "data.batch_size: unknown key; did you mean "
         "training.batch_size?"),
        ("condition: image", "condition: must be a section of settings, found the text 'image'; "
         "write condition: {kind: image}"),
        ("training:", "training: must be a section of settings, found nothing"),
        ("training: [1, 2]", "training: must be a section of settings, found a list of 2"),
        ("data: {image_size: 16}", "data.kind: is missing; choose one of "
         + ", ".join(configs.kinds("data"))),
        ("networks: {kind: [1]}", "networks.kind: a list of 1 is not one of dcgan, resnet"),
        ("data: {kind: folder}", "data.root: is missing, and has no default"),
        ("data: {kind: digits, image_size: 33}", "data.image_size: must be a power of two, as 16, "
         "32 or 64; found 33"),
        ("data: {kind: digits, channels: 2}", "data.channels: must be 1 or 3, found the number 2"),
        ("optimizer: {decay: linea}", "optimizer.schedule: must be 'none', 'linear' or 'cosine', "
         "found the text 'linea'; did you mean 'linear'?"),
        ("optimizer: {betas: [0, 0, 0]}", "optimizer.betas: must have at most 2 values, found a "
         "list of 3"),
        ("optimizer: {betas: [0, x]}", "optimizer.betas.1: must be a number, found the text 'x'"),
        ("networks: {kind: dcgan, critic_channels: []}", "networks.critic_channels: must have at least "
         "1 values, found a list of 0"),
        ("training: {batch_size: 1}", "training.batch_size: must be greater than or equal to 2, "
         "found the number 1"),
        ("training: {images: 1e6}", "training.images: must be an integer, found the number "
         "1000000.0; write 1000000"),
        ("training: {seed: true}", "training.seed: must be an integer, found the truth value true"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_by_line_key_reason_and_way_out(line: str, why: str) -> None:
    assert refusals(f"# a comment\n{line}\n") == [f"file.yaml:2: {why}"]


@pytest.mark.parametrize("word", ["on", "010", "1:30", "2024-01-01", "1_000", "'1'"])
def test_a_number_is_not_guessed_from_a_word(word: str) -> None:
    found = f"found the text {word.strip(chr(39))!r}"
    (why,) = refusals(f"optimizer: {{learning_rate: {word}}}")
    assert why == f"file.yaml:1: optimizer.learning_rate: must be a number, {found}"


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf", "1e999"])
def test_a_number_that_is_not_finite_is_refused(number: str) -> None:
    (why,) = refusals(f"objective: {{kind: r3gan, gamma: {number}}}")
    assert why.startswith("file.yaml:1: objective.gamma: must be a finite number")


def test_exponents_need_no_dot() -> None:
    config = configs.parse("optimizer: {learning_rate: 1e-3, eps: 1.0e-7}", "file.yaml")
    assert (config.optimizer.learning_rate, config.optimizer.eps) == (0.001, 1e-7)


def test_widths_that_do_not_fit_the_images_are_told_at_their_line() -> None:
    text = (
        "data: {kind: digits, image_size: 64}\nnetworks:\n  kind: dcgan\n  critic_channels: [8]\n"
    )
    assert refusals(text) == [
        "file.yaml:2: networks.generator_channels: 64x64 images need 4 widths, found 3",
        "file.yaml:4: networks.critic_channels: 64x64 images need 4 widths, found 1",
    ]


def test_a_vae_on_resnet_is_told_to_end_in_a_tanh() -> None:
    text = "objective: {kind: vae}\nnetworks: {kind: resnet}\n"
    assert refusals(text) == ["file.yaml:2: networks.tanh: objective.kind vae needs true"]
    assert configs.parse(text, "file.yaml", ["networks.tanh=true"]).networks.bounded


# -- files that are no configs --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty; `genctl configs show digits_gan` shows a full one"),
        (b"# nothing\n", "is empty; `genctl configs show digits_gan` shows a full one"),
        (b"- a\n- b\n", ":1: found a list of 2 where keys such as `data:` are needed"),
        (b"word", ":1: found the text 'word' where keys such as `data:` are needed"),
        (b"data: \xff\xfe", "is not UTF-8 text"),
        ("data: {}".encode("utf-16"), "is not UTF-8 text"),
        (b"data:\n \0", ":2: holds the character \\x00; not a text file"),
    ],
)
def test_a_file_that_is_no_config_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        configs.load(str(path))
    (problem,) = raised.value.problems
    assert problem.startswith(str(path))
    assert why in problem


def test_a_huge_file_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    with path.open("wb") as file:
        file.write(b"# a comment\n" * 10_000)
        file.truncate(50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError, match="holds more than 65,536 characters"):
            configs.load(str(path))
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_directory_is_refused_unless_it_is_called_like_a_preset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "tiny"):
        (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match="mine: is a directory"):
        configs.load("mine")
    assert configs.load("tiny") == configs.load("tiny.yaml")


@pytest.mark.parametrize("source", ["no/such.yaml", "tinny", "tiny/x.yaml", "x" * 300])
def test_a_missing_file_is_missing_input(source: str) -> None:
    with pytest.raises(MissingInput, match=source):
        configs.load(source)


# -- --set ----------------------------------------------------------------------------------------


def test_set_replaces_and_adds_values() -> None:
    config = configs.parse(
        "training: {seed: 1}\ndata:\n  kind: digits\n",
        "file.yaml",
        ["training.seed=2", "training.keep=5", "optimizer.betas=[0.1, 0.2]",
         "optimizer.critic_learning_rate=1e-4", "optimizer.critic_learning_rate=null",
         " networks.z_dim = 7"],
    )  # fmt: skip
    assert (config.training.seed, config.training.keep) == (2, 5)
    assert config.optimizer.betas == (0.1, 0.2)
    assert config.optimizer.critic_learning_rate is None
    assert config.networks.z_dim == 7


def test_a_value_of_a_section_left_out_is_one_of_its_default_kind() -> None:
    config = configs.parse("data: {kind: digits}", "f", ["objective.gamma=3"])
    assert config.objective.model_dump() == {
        "kind": "nonsaturating", "gamma": 3.0, "r1_interval": 8
    }  # fmt: skip
    other = configs.parse(
        "data: {kind: digits}", "f", ["condition.code_dim=8", "condition.kind=label"]
    )
    assert other.condition.code_dim == 8


def test_the_last_of_two_values_counts() -> None:
    config = configs.parse("data: {kind: digits}", "f", ["training.seed=1", "training.seed=2"])
    assert config.training.seed == 2


@pytest.mark.parametrize(
    "overrides",
    [
        ["objective.kind=r3gan", "objective.gamma_end=0.5"],
        ["objective.gamma_end=0.5", "objective.kind=r3gan"],
    ],
)
def test_another_kind_drops_the_old_settings_and_no_new_ones(overrides: list[str]) -> None:
    text = "objective: {kind: wgan_gp, gradient_penalty_weight: 3, critic_steps: 2}"
    config = configs.parse(text, "file.yaml", overrides)
    assert config.objective.model_dump() == {
        "kind": "r3gan", "gamma": 1.0, "gamma_end": 0.5, "gamma_burn_in": 0.2
    }  # fmt: skip


def test_the_same_kind_drops_nothing() -> None:
    text = "objective: {kind: wgan_gp, critic_steps: 2}"
    config = configs.parse(text, "file.yaml", ["objective.kind=wgan_gp"])
    assert config.objective.model_dump()["critic_steps"] == 2


def test_another_kind_keeps_what_all_kinds_of_the_section_have() -> None:
    text = "data: {kind: emnist, subset: letters, root: here, image_size: 16, channels: 3}"
    values = configs.flatten({"data": {"kind": "digits", "image_size": 16, "channels": 3}})
    networks = ["networks.generator_channels=[8, 8]", "networks.critic_channels=[8, 8]"]
    config = configs.parse(text, "file.yaml", ["data.kind=digits", *networks])
    assert configs.flatten({"data": config.data.model_dump()}) == values
    folder = configs.parse(text, "file.yaml", ["data.kind=folder", "data.root=there", *networks])
    assert folder.data.model_dump()["root"] == "there"
    (why,) = refusals(text, "data.kind=folder", *networks)  # root means another thing there
    assert why.endswith("data.root: is missing, and has no default")


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("training.seed=x", "training.seed: must be an integer, found the text 'x'"),
        ("training.sed=1", "training.sed: unknown key; did you mean 'seed'?"),
        ("trainin.seed=1", "trainin: unknown key; did you mean 'training'?"),
        ("optimizer.betas=[0, x]", "optimizer.betas.1: must be a number, found the text 'x'"),
        ("data.kind={a: 1}", "data.kind: a section of settings is not one of "
         + ", ".join(configs.kinds("data"))),
        ("training.seed={a: 1, a: 1}", "a: duplicate key, given twice"),
        ("training.seed=!!int 1", "the tag 'tag:yaml.org,2002:int' is not allowed; write plain "
         "values"),
        *((bad, "must look like section.key=value, as in training.seed=1")
          for bad in ("training.seed", "training=1", "=1", ".seed=1", "training.=1", "a.b.c=1")),
    ],
)  # fmt: skip
def test_a_bad_override_is_told_by_the_option(option: str, why: str) -> None:
    text = "data: {kind: digits}\noptimizer: {betas: [0.1, 0.2]}\n"
    assert refusals(text, option) == [f"--set {option}: {why}"]


def test_a_section_that_is_none_is_told_though_it_is_overridden() -> None:
    assert refusals("training: 5", "training.seed=1") == [
        "file.yaml:1: training: must be a section of settings, found the number 5"
    ]


def test_settings_that_went_with_their_kind_are_not_blamed_at_their_old_line() -> None:
    text = "networks:\n  kind: resnet\n  encoder_channels: [8, 8, 8, 8]\n"
    assert refusals(text, "networks.kind=dcgan", "data.image_size=64", "data.kind=digits") == [
        "file.yaml:1: networks.generator_channels: 64x64 images need 4 widths, found 3",
        "file.yaml:1: networks.critic_channels: 64x64 images need 4 widths, found 3",
    ]


# -- what is the same -----------------------------------------------------------------------------


@pytest.mark.parametrize("preset", presets.names())
def test_dump_and_parse_are_inverse(preset: str) -> None:
    config = configs.load(preset)
    assert configs.parse(configs.dump(config), "dumped") == config


@pytest.mark.parametrize("root", ["1e-3", "null", "on", "010", "a: b", "~", "'", "", "ü \u2028"])
def test_a_name_that_looks_like_something_else_survives_dumping(root: str) -> None:
    config = configs.Config(data={"kind": "folder", "root": root})  # type: ignore[arg-type]
    assert configs.parse(configs.dump(config), "dumped").data.root == root


BOOKKEEPING = ["training.images=7", "training.checkpoint_every=7", "training.log_every=7",
               "training.keep=7", "training.engine=eager", "data.root=elsewhere"]  # fmt: skip


def test_bookkeeping_leaves_the_digest_as_it_is() -> None:
    config, other = configs.load("mnist_gan"), configs.load("mnist_gan", BOOKKEEPING)
    assert other != config
    assert configs.digest(other) == configs.digest(config)
    assert configs.differences(config, other) == []


CANDIDATES = ["1", "2", "3", "0.5", "0.25", "1000", "true", "false", "[0.1, 0.2]", "[8, 8, 8]",
              "fp32", "cosine", "spectral", "pooled", "instance"]  # fmt: skip


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


def test_where_your_own_pictures_lie_says_which_they_are() -> None:
    one, other = (
        configs.parse("data: {kind: folder, root: x}", "f", [f"data.root={root}"])
        for root in ("cats", "dogs")
    )
    assert configs.differences(one, other) == ["data.root: cats -> dogs"]
    assert configs.digest(one) != configs.digest(other)


def test_settings_of_one_kind_alone_are_listed_as_not_set_for_the_other() -> None:
    text = "objective: {kind: nonsaturating, gamma: 0.3}"
    old, new = configs.parse(text, "old"), configs.parse(text, "new", ["objective.kind=vae"])
    assert configs.differences(old, new) == [
        "objective.beta: (not set) -> 1.0",
        "objective.gamma: 0.3 -> (not set)",
        "objective.kind: nonsaturating -> vae",
        "objective.r1_interval: 8 -> (not set)",
    ]


def test_how_a_number_is_written_does_not_matter() -> None:
    one = configs.parse("objective: {kind: vae, beta: 1}", "one")
    other = configs.parse("objective:\n  beta: 1.0e0\n  kind: 'vae'\n", "other")
    assert one == other
    assert configs.digest(one) == configs.digest(other)


def test_flatten_joins_section_and_key() -> None:
    assert configs.flatten({"a": {"b": 1, "c": 2}, "d": {}}) == {"a.b": 1, "a.c": 2}
