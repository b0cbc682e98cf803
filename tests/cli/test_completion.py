"""What the Tab key offers, in each shell."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from genctl.cli.bash_words import join, without
from genctl.common.registry import kinds
from genctl.config import config as configs
from genctl.config import presets
from tests.cli.test_runs import make
from tests.conftest import REPOSITORY, RunGenctl
from tests.support.models import save_model
from tests.test_structure import HEAVY

Complete = Callable[..., list[str]]


@pytest.fixture
def complete(genctl: RunGenctl, monkeypatch: pytest.MonkeyPatch) -> Complete:
    """What fish is offered for the last of some words."""

    def offered(*words: str) -> list[str]:
        monkeypatch.setenv("_GENCTL_COMPLETE", "complete_fish")
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", " ".join(["genctl", *words]))
        done = genctl()
        assert (done.code, done.err) == (0, "")
        return [line.partition("\t")[0] for line in done.out.splitlines() if line]

    return offered


@pytest.fixture
def in_bash(genctl: RunGenctl, monkeypatch: pytest.MonkeyPatch) -> Complete:
    """What bash is offered for the last of some words, as it splits them."""

    def offered(*words: str) -> list[str]:
        monkeypatch.setenv("_GENCTL_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", "\n".join(["genctl", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        done = genctl()
        assert (done.code, done.err) == (0, "")
        return done.out.splitlines()

    return offered


@pytest.fixture
def with_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with two runs in ``runs`` of which one has a model."""
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "runs", "first", metrics=[{"images": 1, "scores": {"fid": 1.5}}])
    save_model(make(tmp_path / "runs", "other", "objective.kind=hinge") / "model.safetensors")
    return tmp_path


def test_commands_and_options_are_offered(complete: Complete) -> None:
    assert complete("tr") == ["train"]
    assert complete("configs", "sh") == ["show"]
    assert complete("train", "--dr") == ["--dry-run"]


@pytest.mark.parametrize("words", ["train --config", "bench --config", "configs check"])
def test_presets_come_with_yaml_files_and_folders(
    complete: Complete, tmp_path: Path, words: str
) -> None:
    (tmp_path / "mine.yaml").touch()
    (tmp_path / "mine.txt").touch()
    (tmp_path / "my").mkdir()
    named = [name for name in presets.names() if name.startswith("m")]
    assert complete(*words.split(), "m") == [*named, "mine.yaml", "my/"]
    assert complete(*words.split(), "mi") == []  # no preset: the shell completes the file
    assert complete(*words.split(), "my/") == []


def test_commands_that_take_no_file_are_offered_presets_alone(
    complete: Complete, tmp_path: Path
) -> None:
    (tmp_path / "tiny.yaml").touch()
    assert complete("configs", "show", "ti") == complete("configs", "copy", "ti") == ["tiny"]


@pytest.mark.parametrize("words", ["sample --run", "encode --run", "report", "film", "card"])
def test_runs_are_offered(complete: Complete, with_runs: Path, words: str) -> None:
    assert complete(*words.split(), "fi") == ["first"]
    assert complete(*words.split(), "runs/f") == []
    (with_runs / "elsewhere").mkdir()
    (with_runs / "runs" / "other").rename(with_runs / "elsewhere" / "moved")
    command, *rest = words.split()
    assert complete(command, "--runs", "elsewhere", *rest, "m") == ["moved"]


def test_columns_and_scores_are_offered(complete: Complete, with_runs: Path) -> None:
    assert complete("runs", "--sort", "s") == ["status", "seconds"]
    assert complete("runs", "--sort", "objective.k") == ["objective.kind"]
    assert complete("report", "--score", "f") == ["fid"]
    assert complete("report", "--score", "s") == []


def test_devices_and_formats_are_offered(complete: Complete) -> None:
    assert complete("sample", "--device", "a") == ["auto"]
    assert "cuda" in complete("doctor", "--device", "c")
    assert complete("sample", "--format", "n") == ["npz"]


def test_the_keys_of_the_config_are_offered(complete: Complete) -> None:
    keys = configs.flatten(configs.load("mnist_cgan").model_dump(mode="json"))
    assert complete("train", "--config", "mnist_cgan", "--set", "") == [f"{key}=" for key in keys]
    in_vae = ("train", "--config", "mnist_cgan", "--set", "objective.kind=vae", "--set")
    assert complete(*in_vae, "objective.") == ["objective.kind=", "objective.beta="]


def test_the_keys_of_the_config_of_a_sweep_are_offered(complete: Complete) -> None:
    keys = configs.flatten(configs.load("mnist_cgan").model_dump(mode="json"))
    assert complete("sweep", "--config", "mnist_cgan", "--set", "") == [f"{key}=" for key in keys]
    kinds_first = ("sweep", "--config", "mnist_cgan", "--set", "objective.kind=vae,hinge")
    for option in ("--set", "--search"):
        offered = complete(*kinds_first, option, "objective.")
        assert offered == ["objective.kind=", "objective.beta="]
    assert complete("sweep", "--sampler", "q") == ["qmc"]


@pytest.mark.parametrize("config", [[], ["--config", "missing"]])
def test_without_a_valid_config_the_keys_of_every_kind_are_offered(
    complete: Complete, config: list[str]
) -> None:
    offered = complete("train", *config, "--set", "objective.")
    assert {"objective.beta=", "objective.gamma=", "objective.critic_steps="} <= set(offered)
    assert len(set(offered)) == len(offered)


def test_the_values_of_an_enumerated_key_are_offered(complete: Complete) -> None:
    words = [f"objective.kind={kind}" for kind in kinds("objectives")]
    assert complete("train", "--set", "objective.kind=") == words
    assert complete("train", "--set", "objective.k") == words  # it is the only key that fits
    assert complete("train", "--set", "objective.kind=hi") == ["objective.kind=hinge"]
    assert complete("train", "--set", "networks.tanh=") == [
        "networks.tanh=true", "networks.tanh=false"
    ]  # fmt: skip
    assert complete("train", "--set", "data.channels=") == ["data.channels=1", "data.channels=3"]
    assert complete("train", "--set", "nonsense=") == ["nonsense="]


def test_any_other_value_begins_as_it_is(complete: Complete) -> None:
    given = ("train", "--config", "tiny", "--set", "training.seed=3", "--set")
    assert complete(*given, "training.see") == ["training.seed=", "training.seed=3"]
    assert complete(*given, "optimizer.betas=[") == ["optimizer.betas=[0.0,0.99]"]
    assert complete(*given, "optimizer.encoder_betas=") == ["optimizer.encoder_betas="]


def test_conditions_are_offered(complete: Complete, with_runs: Path) -> None:
    assert complete("sample", "--condition", "label:") == [f"label:{i}" for i in range(10)]
    assert complete("sample", "--condition", "n") == ["noise"]
    images = ["digits:test", "digits:test[0:10]", "digits:train", "digits:train[0:10]"]
    assert complete("sample", "--condition", "d") == images
    (with_runs / "drawn.png").touch()
    assert complete("sample", "--condition", "d") == [*images, "drawn.png"]
    assert complete("sample", "--condition", "dr") == []
    assert complete("encode", "d") == [*images, "drawn.png"]


def test_both_ends_of_a_mixture_are_offered(complete: Complete, with_runs: Path) -> None:
    assert complete("sample", "--condition", "mi") == ["mix:"]
    assert "mix:label:1," in complete("sample", "--condition", "mix:")
    ends = complete("sample", "--condition", "mix:label:1")
    assert {"mix:label:1,label:7", "mix:label:1,noise"} <= set(ends)
    assert complete("sample", "--condition", "mix:label:1,no") == ["mix:label:1,noise"]


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"\x02\0\0\0\0\0\0\0{}", None])
def test_a_damaged_model_has_no_classes(
    complete: Complete, with_runs: Path, content: bytes | None
) -> None:
    model = with_runs / "runs" / "other" / "model.safetensors"
    model.unlink()
    model.write_bytes(content) if content is not None else model.mkdir()
    assert complete("sample", "--condition", "label:") == []
    assert complete("sample", "--condition", "n") == ["noise"]


def test_words_that_a_shell_would_evaluate_are_not_offered(
    complete: Complete, with_runs: Path
) -> None:
    for name in ("f$(reboot)", "f`reboot`", 'f"', "f;g", "f g", "f\nfirst", "f\\$(reboot)"):
        make(with_runs / "runs", name)
    make(with_runs / "runs", "fünf")
    assert complete("sample", "--run", "f") == ["first", "fünf"]


# -- bash -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "joined", "kept"),
    [(["--set", "a.b", "=", "c"], ["--set", "a.b=c"], "a.b="),
     (["--set", "a.b", "="], ["--set", "a.b="], "a.b="),
     (["--set", "a.b", "=", ""], ["--set", "a.b=", ""], ""),
     (["--set", "=", "a.b", "=", "c"], ["--set=a.b=c"], "--set=a.b="),
     (["mix", ":", "label", ":", "1,label", ":", "2"], ["mix:label:1,label:2"],
      "mix:label:1,label:"),
     (["a", "b"], ["a", "b"], ""),
     ([""], [""], "")],
)  # fmt: skip
def test_words_are_joined(typed: list[str], joined: list[str], kept: str) -> None:
    words, cursor, found = join(["genctl", *typed], len(typed))
    assert words == ["genctl", *joined]
    assert (cursor, found) == (len(joined), kept)


def test_words_after_the_cursor_change_nothing() -> None:
    words, cursor, kept = join(["genctl", "a", "=", "b", "--set", "c", "=", "d"], 3)
    assert (words[cursor], kept) == ("a=b", "a=")


def test_what_bash_keeps_is_left_out() -> None:
    assert without("objective.kind=", "objective.kind=vae") == "vae"
    assert without("--set=objective.kind=", "objective.kind=vae") == "vae"
    assert without("--config=", "tiny") == "tiny"


def test_bash_is_offered_what_replaces_the_last_of_its_words(
    in_bash: Complete, with_runs: Path
) -> None:
    assert in_bash("train", "--set", "objective.kind", "=", "hi") == ["hinge"]
    assert in_bash("train", "--set", "objective.kind", "=") == list(kinds("objectives"))
    assert in_bash("train", "--set", "=", "objective.kind", "=", "hi") == ["hinge"]
    assert in_bash("train", "--config", "=", "tin") == ["tiny"]
    assert in_bash("sample", "--condition", "label", ":", "7") == ["7"]
    assert in_bash("train", "--config", "tiny", "--set", "training.see") == [
        "training.seed=", "training.seed=0"
    ]  # fmt: skip
    assert "--config" in in_bash("train", "--")
    assert in_bash("train", "--name", "") == [""]


def test_zsh_is_offered_the_same(genctl: RunGenctl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_GENCTL_COMPLETE", "complete_zsh")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "genctl train --set objective.kind=hi")
    assert genctl().out == "_arguments '*: :((\"objective.kind=hinge\"))'\n"


# -- instant --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    ["tr", "train --config t", "train --config tiny --set objective.kind=h", "sample --run o",
     "sample --condition label:1", "runs --sort s"],
)  # fmt: skip
def test_completion_loads_nothing_heavy(with_runs: Path, words: str) -> None:
    code = (
        "import json, sys; from genctl.cli.app import main"
        "\ntry: main()"
        "\nfinally: print(json.dumps(list(sys.modules)), file=sys.stderr)"
    )
    asked = ["genctl", *words.split()]
    request = {
        "_GENCTL_COMPLETE": "complete_bash",
        "COMP_WORDS": "\n".join(asked),
        "COMP_CWORD": str(len(asked) - 1),
        "PYTHONPATH": str(REPOSITORY),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | request, cwd=with_runs, text=True,
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip()
    assert not set(json.loads(done.stderr)) & HEAVY
