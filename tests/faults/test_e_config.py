"""Configs that are wrong, tricky or hostile: exit 2, every mistake with its line, no harm."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY, Finished, Run
from life import checkpoints, forked, little_memory, live
from refusal import changed, contents
from scorecard import proves

from genctl import config as configs

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
SPARE = 50 * 2**20  # bytes that a refusal may take

GOOD = "data: {kind: digits}\n"


def refuse(genctl: Run, text: str | bytes, code: int = 2) -> list[str]:
    """Let `train` and `configs check` refuse a config; returns what both say, line by line."""
    path = Path("file.yaml")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    before = contents(Path.cwd())
    trained = genctl("train", "--config", path, "--dry-run")
    checked = genctl("configs", "check", path)
    assert (trained.code, checked.code) == (code, code)
    assert (trained.out, checked.out) == ("", "")
    assert trained.err == checked.err
    assert changed(before, Path.cwd()) == []
    return told(trained)


def told(done: Finished) -> list[str]:
    """The errors, each of which is one line that can be shown on any terminal."""
    lines = done.err.splitlines()
    assert lines
    assert all(line.startswith("genctl: error: ") for line in lines)
    assert all(line.isprintable() and len(line) < 3000 for line in lines)
    return [line.removeprefix("genctl: error: ") for line in lines]


def accept(genctl: Run, text: str) -> None:
    """The mended file works."""
    Path("file.yaml").write_text(text)
    assert genctl("configs", "check", "file.yaml").code == 0


# -- E1: invalid settings -------------------------------------------------------------------------


@proves("E1", "EMNR")
def test_all_mistakes_are_told_at_once_each_with_its_line_and_what_was_meant(genctl: Run) -> None:
    lines = refuse(
        genctl,
        "lerning_rate: .1\n"
        "training:\n"
        "  batch_size: 0\n"
        "  images: -1\n"
        "  log_evry: 5\n"
        "networks: {kind: dcgan, z_width: 1000000000}\n"
        "objective: {kind: hing}\n",
    )
    assert lines[1:] == [
        "file.yaml:3: training.batch_size: must be greater than or equal to 2, found the number 0",
        "file.yaml:4: training.images: must be greater than 0, found the number -1",
        "file.yaml:5: training.log_evry: unknown key; did you mean 'log_every'?",
        "file.yaml:6: networks.z_width: must be less than or equal to 4096, found the number "
        "1000000000",
        f"file.yaml:7: objective.kind: the text 'hing' is not one of "
        f"{', '.join(configs.kinds('objectives'))}; did you mean 'hinge'?",
    ]  # fmt: skip
    assert lines[0].startswith("file.yaml:1: lerning_rate: unknown key")
    accept(genctl, GOOD)


NO_CONFIG = {
    "empty": b"",
    "a comment": b"# nothing\n",
    "a list": b"- a\n- b\n",
    "a word": b"word",
    "no UTF-8": b"data: \xff\xfe",
    "UTF-16": "data: {}".encode("utf-16"),
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "a zip": b"PK\x03\x04" + bytes(100),
}


@proves("E1", "EMNR")
@pytest.mark.parametrize("what", NO_CONFIG)
def test_a_file_that_is_no_config_is_told_in_one_line(what: str, genctl: Run) -> None:
    (line,) = refuse(genctl, NO_CONFIG[what])
    assert line.startswith("file.yaml")
    accept(genctl, GOOD)


@proves("E1", "EMN")
@pytest.mark.parametrize(
    ("source", "code"),
    [(".", 2), ("none.yaml", 66), ("none/none.yaml", 66), ("x" * 300, 66), ("file.yaml/x", 66)],
)
def test_a_config_that_is_not_there_is_missing(source: str, code: int, genctl: Run) -> None:
    Path("file.yaml").write_text(GOOD)
    done = genctl("train", "--config", source)
    assert done.code == code
    assert len(told(done)) == 1
    assert [path.name for path in Path().iterdir()] == ["file.yaml"]


@proves("E1", "M")
@pytest.mark.parametrize("command", [["train", "--config"], ["configs", "check"]])
def test_mistakes_are_told_before_torch_is_loaded(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "file.yaml").write_text("lerning_rate: .1\n")
    code = (
        "import sys; from genctl.cli.app import main; "
        f"sys.argv = {['genctl', *command, 'file.yaml']}\n"
        "try: main()\n"
        "finally: print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False,
        env={"PYTHONPATH": str(REPOSITORY)}, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "False False\n")


# -- E2: traps of YAML ----------------------------------------------------------------------------

REFUSED = ["on", "010", "0x1p3", "1:30", "2024-01-01", "1_000", "'0.1'", "yes", "1e", ".nan",
           ".inf", "1e999", "~", "[1]", "{a: 1}"]  # fmt: skip


@proves("E2", "EMNR")
@pytest.mark.parametrize("word", REFUSED)
def test_what_is_no_number_is_not_taken_for_one(word: str, genctl: Run) -> None:
    (line,) = refuse(genctl, f"{GOOD}optimizer:\n  learning_rate: {word}\n")
    assert line.startswith("file.yaml:3: optimizer.learning_rate: must be ")
    assert ", found " in line, "what YAML read"
    accept(genctl, GOOD)


@proves("E2", "EN")
@pytest.mark.parametrize(("word", "number"), [("1e-3", 0.001), ("1.0e-3", 0.001), ("1E-3", 0.001),
                                              (".5", 0.5), ("+1", 1.0), ("1", 1.0)])  # fmt: skip
def test_a_number_in_any_usual_spelling_is_that_number(word: str, number: float) -> None:
    config = configs.parse(f"{GOOD}optimizer: {{learning_rate: {word}}}", "file.yaml")
    assert config.optimizer.learning_rate == number


@proves("E2", "EMN")
@pytest.mark.parametrize(
    ("setting", "why"),
    [("training: {seed: 1.0}", "write 1"), ("training: {seed: true}", "the truth value true"),
     ("training: {seed: '1'}", "the text '1'"), ("training: {images: 1e6}", "write 1000000"),
     ("data: {kind: digits, channels: 1.0}", "must be an integer, 1 or 3"),
     ("data: {kind: digits, channels: true}", "must be an integer, 1 or 3"),
     ("data: {kind: no}", "the text 'no'"), ("data: {kind: folder, root: 12}", "the number 12"),
     ("networks: {kind: dcgan, modulated: 1}", "the number 1")],
)  # fmt: skip
def test_a_value_of_another_type_is_never_converted(setting: str, why: str, genctl: Run) -> None:
    (line,) = refuse(genctl, setting)
    assert why in line


# -- E3: duplicate keys ---------------------------------------------------------------------------


@proves("E3", "EMNR")
def test_keys_that_stand_twice_are_told_with_both_lines(genctl: Run) -> None:
    text = "training:\n  seed: 1\n  images: 5\n  seed: 2\ndata: {kind: digits}\ntraining: {}\n"
    assert refuse(genctl, text) == [
        "file.yaml:4: training.seed: duplicate key, first on line 2",
        "file.yaml:6: training: duplicate key, first on line 1",
    ]
    (line,) = told(genctl("train", "--config", "tiny", "--set", "optimizer.betas={a: 1, a: 2}"))
    assert "a: duplicate key" in line
    accept(genctl, GOOD)


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
@proves("E4", "EMNR")
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_config_is_refused_in_little_memory(what: str, tmp_path: Path) -> None:
    (tmp_path / "file.yaml").write_text(HOSTILE[what])
    done = forked(tmp_path, ["train", "--config", "file.yaml", "--quiet"], little_memory(SPARE))
    assert (done.code, done.out) == (2, ""), done.err[-2000:]
    assert all("file.yaml" in line for line in told(done))
    assert {path.name for path in tmp_path.iterdir()} == {"file.yaml", "out", "err"}  # no canary
    (tmp_path / "file.yaml").write_text(GOOD)
    assert forked(tmp_path, ["configs", "check", "file.yaml"]).code == 0


@linux
@proves("E4", "EMN")
@pytest.mark.parametrize("what", ["5,000 lists deep", "python/object/apply", "NUL",
                                  "a number of 60,000 digits"])  # fmt: skip
def test_a_hostile_override_is_refused_in_little_memory(what: str, tmp_path: Path) -> None:
    value = HOSTILE[what].partition(": ")[2].replace("\0", "\\0").removeprefix("{seed: ")
    words = ["train", "--config", "tiny", "--quiet", "--set", f"training.seed={value}"]
    done = forked(tmp_path, words, little_memory(SPARE))
    assert (done.code, done.out) == (2, "")
    assert len(told(done)) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"out", "err"}


# -- E5: a run goes on with its settings ----------------------------------------------------------

CHANGED = {
    "optimizer.learning_rate=0.5": "optimizer.learning_rate: 0.001 -> 0.5",
    "networks.critic_features=16": "networks.critic_features: 8 -> 16",
    "data.channels=3": "data.channels: 1 -> 3",
    "training.seed=3": "training.seed: 0 -> 3",
    "training.batch_size=8": "training.batch_size: 16 -> 8",
}


@proves("E5", "EMNR")
def test_a_run_goes_on_with_its_settings_or_says_which_are_others(tmp_path: Path) -> None:
    assert live(tmp_path).code == 0
    run = tmp_path / "runs" / "run"
    before = contents(run)
    for setting, difference in CHANGED.items():
        done = live(tmp_path, "--set", setting)
        assert done.code == done.json["exit_code"] == 2
        assert f"runs/run/config.yaml: {difference}" in told(done)
        assert "--fresh" in done.err
        assert [name for name in changed(before, run) if "/." not in name] == []
    allowed = ("training.images=512", "training.log_every=64", "training.keep=3")
    more = [word for setting in allowed for word in ("--set", setting)]
    assert live(tmp_path, *more).code == 0
    recorded = configs.load(str(run / "config.yaml")).training
    assert (recorded.images, recorded.log_every, recorded.keep) == (512, 64, 3)
    assert checkpoints(run) == ["384", "480", "512"]
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["images"] == 512
