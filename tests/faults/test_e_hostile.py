"""Configs that are bombs, and runs that are asked to go on with other settings."""

import json
import sys
from pathlib import Path

import pytest

from genctl.config import config as configs
from tests.faults.refusal import changed, contents, told
from tests.support.processes import checkpointed_images, limit_memory, run_forked, run_training

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
SPARE = 50 * 2**20  # bytes that a refusal may take

GOOD = "data: {kind: digits}\n"


# -- E4: bombs and tags ---------------------------------------------------------------------------


def aliases(levels: int) -> str:
    """A few hundred characters that stand for 9^levels values."""
    first = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    return first + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, levels)
    )


HOSTILE = {
    "billion laughs": aliases(9),
    "an alias in itself": "training: &t\n  seed: *t\n",
    "a key of itself": "? &a [*a]\n: 1\n",
    "5,000 lists deep": "a: " + "[" * 5000,
    "5,000 mappings deep": "{a: " * 5000,
    "5,000 dashes deep": "- " * 5000 + "x",
    "50 MB": "# a comment\n" * 4_200_000,
    "50 MB on one line": "a: " + "x" * 50_000_000,
    "9,000 unknown keys": "".join(f"key{n}: 1\n" for n in range(9000))[:60_000] + "\n",
    "a key of 60,000 letters": "x" * 60_000 + ": 1",
    "NUL": "data: \0",
    "an escape of the terminal": 'data: "\\e[2J"',
    "a number of 60,000 digits": "training: {seed: " + "9" * 60_000 + "}",
    "merge keys": "a: &a {seed: 1}\ntraining:\n  <<: *a\n",
    "two documents": "data: {kind: digits}\n---\ndata: {kind: digits}\n",
    "python/object/apply": "data: !!python/object/apply:os.system ['touch canary']",
    "python/object/new": "data: !!python/object/new:os.system ['touch canary']",
    "python/name": "data: !!python/name:os.system",
    "python/module": "data: !!python/module:antigravity",
    "a verbatim tag": "data: !<tag:yaml.org,2002:python/object/apply:os.system> ['touch canary']",
    "a tag by directive": "%TAG ! tag:yaml.org,2002:python/object/apply:\n---\n"
    "data: !os.system ['touch canary']",
}


@linux
@pytest.mark.fault("E4")
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_config_is_refused_in_little_memory(what: str, tmp_path: Path) -> None:
    (tmp_path / "file.yaml").write_text(HOSTILE[what])
    done = run_forked(tmp_path, ["train", "--config", "file.yaml", "--quiet"], limit_memory(SPARE))
    assert (done.code, done.out) == (2, ""), done.err[-2000:]
    assert all("file.yaml" in line for line in told(done))
    assert {path.name for path in tmp_path.iterdir()} == {"file.yaml", "out", "err"}  # no canary
    (tmp_path / "file.yaml").write_text(GOOD)
    assert run_forked(tmp_path, ["configs", "check", "file.yaml"]).code == 0


@linux
@pytest.mark.fault("E4")
@pytest.mark.parametrize("what", ["5,000 lists deep", "python/object/apply", "NUL",
                                  "a number of 60,000 digits"])  # fmt: skip
def test_a_hostile_override_is_refused_in_little_memory(what: str, tmp_path: Path) -> None:
    value = HOSTILE[what].partition(": ")[2].replace("\0", "\\0").removeprefix("{seed: ")
    words = ["train", "--config", "tiny", "--quiet", "--set", f"training.seed={value}"]
    done = run_forked(tmp_path, words, limit_memory(SPARE))
    assert (done.code, done.out) == (2, "")
    assert len(told(done)) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"out", "err"}


# -- E5: a run goes on with its settings ----------------------------------------------------------

CHANGED = {
    "optimizer.learning_rate=0.5": "optimizer.learning_rate: 0.001 -> 0.5",
    "networks.critic_hidden_dim=16": "networks.critic_hidden_dim: 8 -> 16",
    "data.channels=3": "data.channels: 1 -> 3",
    "training.seed=3": "training.seed: 0 -> 3",
    "training.batch_size=8": "training.batch_size: 16 -> 8",
}


@pytest.mark.fault("E5")
def test_a_run_goes_on_with_its_settings_or_says_which_are_others(tmp_path: Path) -> None:
    assert run_training(tmp_path).code == 0
    run = tmp_path / "runs" / "run"
    before = contents(run)
    for setting, difference in CHANGED.items():
        done = run_training(tmp_path, "--set", setting)
        assert done.code == done.json["exit_code"] == 2
        assert f"runs/run/config.yaml: {difference}" in told(done)
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
