"""Configs that are bombs, and runs that are resumed with other settings."""

import json
import sys
from pathlib import Path

import pytest

from genctl.config import config as configs
from tests.faults.refusal import changed, contents, error_lines
from tests.support.processes import checkpointed_images, limit_memory, run_forked, run_training

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
SPARE = 50 * 2**20  # bytes that a refusal may take

GOOD = "data: {kind: digits}\n"


# -- E4: bombs and tags ---------------------------------------------------------------------------


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)  # 570 characters that stand for 9^9 values
# Duplicate keys are not read, so that no value is counted before the last line.
CHAIN = "a: &a0 []\n" + "".join(f"a: &a{n} [*a{n - 1}]\n" for n in range(1, 2000)) + "b: *a1999\n"

VALUES, DEEP, LONG = (
    "expand to more than 10,000 values",
    "more than 20 levels deep",
    "65,536 charac",
)
TAG, INVALID, CONTROL = "is not allowed; write plain values", "not valid YAML", "control character"

HOSTILE = {
    "billion laughs": (BOMB, VALUES),
    "an alias of what contains it": ("training: &t\n  seed: *t\n", DEEP),
    "an alias of a list in itself": ("a: &a [*a, *a]", DEEP),
    "a key of itself": ("? &a [*a]\n: 1\n", "a key must be a word"),
    "a chain of 2,000 aliases": (CHAIN, DEEP),
    "5,000 lists": ("a: " + "[" * 5000, DEEP),
    "5,000 mappings": ("{a: " * 5000, DEEP),
    "5,000 dashes": ("- " * 5000 + "x", DEEP),
    "5,000 question marks": ("? " * 5000, DEEP),
    "300 indents": ("".join(" " * depth + "a:\n" for depth in range(300)), DEEP),
    "50 MB": ("# a comment\n" * 4_200_000, LONG),
    "50 MB on one line": ("a: " + "x" * 50_000_000, LONG),
    "5,000 unknown keys": ("".join(f"key{n}: 1\n" for n in range(5000)), "unknown key"),
    "a key of 60,000 letters": ("x" * 60_000 + ": 1", INVALID),
    "NUL": ("data: \0", r"holds the character \x00; not a text file"),
    "an escaped NUL": ('data: "\\0"', CONTROL),
    "an escape of the terminal": ('data: "\\e[2J"', CONTROL),
    "an escape of the terminal in a key": ('"\\e[2J": 1', CONTROL),
    "a number of 60,000 digits": ("training: {seed: " + "9" * 60_000 + "}", "must be an integer"),
    "merge keys": ("a: &a {seed: 1}\ntraining:\n  <<: *a\n", "training.<<: unknown key"),
    "two documents": ("data: {kind: digits}\n---\ndata: {kind: digits}\n", INVALID),
    "python/object/apply": ("data: !!python/object/apply:os.system ['touch canary']", TAG),
    "python/object/new": ("data: !!python/object/new:os.system ['touch canary']", TAG),
    "python/name": ("data: !!python/name:os.system", TAG),
    "python/module": ("data: !!python/module:antigravity", TAG),
    "a verbatim tag": (
        "data: !<tag:yaml.org,2002:python/object/apply:os.system> ['touch canary']", TAG
    ),
    "a tag by directive": (
        "%TAG ! tag:yaml.org,2002:python/object/apply:\n---\ndata: !os.system ['touch canary']", TAG
    ),
    "a harmless tag": ("training: {seed: !!int 1}", TAG),
    "an empty tag": ("training: {seed: ! 1}", TAG),
}  # fmt: skip


@linux
@pytest.mark.fault("E4")
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_config_is_refused_with_little_memory(what: str, tmp_path: Path) -> None:
    text, why = HOSTILE[what]
    (tmp_path / "file.yaml").write_text(text)
    done = run_forked(tmp_path, ["train", "--config", "file.yaml", "--quiet"], limit_memory(SPARE))
    assert (done.code, done.out) == (2, ""), done.err[-2000:]
    lines = error_lines(done)
    assert all(line.startswith("file.yaml") for line in lines)
    assert any(why in line for line in lines), lines
    assert {path.name for path in tmp_path.iterdir()} == {"file.yaml", "out", "err"}  # no canary
    (tmp_path / "file.yaml").write_text(GOOD)
    assert run_forked(tmp_path, ["configs", "check", "file.yaml"]).code == 0


@linux
@pytest.mark.fault("E4")
@pytest.mark.parametrize(
    ("value", "why"),
    [("[" * 5000, DEEP), ("!!python/object/apply:os.system ['touch canary']", TAG),
     ('"\\0"', CONTROL), ("9" * 60_000, "must be an integer")],
    ids=["5,000 lists", "python/object/apply", "an escaped NUL", "a number of 60,000 digits"],
)  # fmt: skip
def test_a_hostile_override_is_refused_with_little_memory(
    value: str, why: str, tmp_path: Path
) -> None:
    words = ["train", "--config", "tiny", "--quiet", "--set", f"training.seed={value}"]
    done = run_forked(tmp_path, words, limit_memory(SPARE))
    assert (done.code, done.out) == (2, "")
    (line,) = error_lines(done)
    assert why in line
    assert {path.name for path in tmp_path.iterdir()} == {"out", "err"}


# -- E5: a run resumes with its settings ----------------------------------------------------------

CHANGED = {
    "optimizer.learning_rate=0.5": "optimizer.learning_rate: 0.001 -> 0.5",
    "networks.critic_hidden_dim=16": "networks.critic_hidden_dim: 8 -> 16",
    "data.channels=3": "data.channels: 1 -> 3",
    "training.seed=3": "training.seed: 0 -> 3",
    "training.batch_size=8": "training.batch_size: 16 -> 8",
}


@pytest.mark.fault("E5")
def test_a_run_resumes_with_its_settings_or_reports_which_differ(tmp_path: Path) -> None:
    assert run_training(tmp_path).code == 0
    run = tmp_path / "runs" / "run"
    before = contents(run)
    for setting, difference in CHANGED.items():
        done = run_training(tmp_path, "--set", setting)
        assert done.code == done.json["exit_code"] == 2
        assert f"runs/run/config.yaml: {difference}" in error_lines(done)
        assert "--fresh" in done.err
        assert [name for name in changed(before, run) if "/." not in name] == []
    allowed = ("training.images=512", "training.log_every=64", "training.keep=3")
    more = [word for setting in allowed for word in ("--set", setting)]
    assert run_training(tmp_path, *more).code == 0
    recorded = configs.load(str(run / "config.yaml")).training
    assert (recorded.images, recorded.log_every, recorded.keep) == (512, 64, 3)
    assert checkpointed_images(run) == ["384", "480", "512"]
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["images"] == 512
