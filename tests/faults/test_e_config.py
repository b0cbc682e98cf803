"""Configs that are wrong or tricky: exit code 2, every mistake with its line, nothing created."""

import subprocess
import sys
from pathlib import Path

import pytest

from genctl.common.registry import kinds
from genctl.config import config as configs
from tests.conftest import REPOSITORY, RunGenctl
from tests.faults.refusal import changed, contents, error_lines

GOOD = "data: {kind: digits}\n"


def refuse(genctl: RunGenctl, text: str | bytes, code: int = 2) -> list[str]:
    """Require that `train` and `configs check` refuse a config with the same lines."""
    path = Path("file.yaml")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    before = contents(Path.cwd())
    trained = genctl("train", "--config", path, "--dry-run")
    checked = genctl("configs", "check", path)
    assert (trained.code, checked.code) == (code, code)
    assert (trained.out, checked.out) == ("", "")
    assert trained.err == checked.err
    assert changed(before, Path.cwd()) == []
    return error_lines(trained)


def accept(genctl: RunGenctl, text: str) -> None:
    """The corrected file works."""
    Path("file.yaml").write_text(text)
    assert genctl("configs", "check", "file.yaml").code == 0


# -- E1: invalid settings -------------------------------------------------------------------------


@pytest.mark.fault("E1")
def test_all_mistakes_are_reported_at_once_in_the_order_of_their_lines(
    genctl: RunGenctl,
) -> None:
    lines = refuse(
        genctl,
        "lerning_rate: .1\n"
        "training:\n"
        "  batch_size: 0\n"
        "  images: -1\n"
        "  log_evry: 5\n"
        "networks: {kind: dcgan, z_dim: 1000000000}\n"
        "objective: {kind: hing}\n",
    )
    assert lines == [
        "file.yaml:1: lerning_rate: unknown key; did you mean optimizer.learning_rate?",
        "file.yaml:3: training.batch_size: must be greater than or equal to 2, found the number 0",
        "file.yaml:4: training.images: must be greater than 0, found the number -1",
        "file.yaml:5: training.log_evry: unknown key; did you mean training.log_every?",
        "file.yaml:6: networks.z_dim: must be less than or equal to 4096, found the number "
        "1000000000",
        f"file.yaml:7: objective.kind: the text 'hing' is not one of "
        f"{', '.join(kinds('objectives'))}; did you mean 'hinge'?",
    ]  # fmt: skip
    accept(genctl, GOOD)


NO_CONFIG = {
    "empty": (b"", ": is empty; `genctl configs show digits_gan` shows a full one"),
    "a comment": (b"# nothing\n", ": is empty; `genctl configs show digits_gan` shows a full one"),
    "a list": (b"- a\n- b\n", ":1: found a list of 2 where keys such as `data:` are needed"),
    "a word": (b"word", ":1: found the text 'word' where keys such as `data:` are needed"),
    "not UTF-8": (b"data: \xff\xfe", ": is not UTF-8 text"),
    "UTF-16": ("data: {}".encode("utf-16"), ": is not UTF-8 text"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), ": is not UTF-8 text"),
    "a zip": (b"PK\x03\x04" + bytes(100), ":1: holds the character \\x03; not a text file"),
}


@pytest.mark.fault("E1")
@pytest.mark.parametrize("what", NO_CONFIG)
def test_a_file_that_is_no_config_is_refused_in_one_line(what: str, genctl: RunGenctl) -> None:
    content, why = NO_CONFIG[what]
    (line,) = refuse(genctl, content)
    assert line.startswith(f"file.yaml{why}")
    accept(genctl, GOOD)


@pytest.mark.fault("E1")
@pytest.mark.parametrize(
    ("source", "code"),
    [
        (".", 2),
        ("none.yaml", 66),
        ("none/none.yaml", 66),
        ("x" * 300, 66),
        ("file.yaml/x", 66),
        ("tiny/x.yaml", 66),
    ],
)
def test_a_config_that_is_not_there_is_missing(source: str, code: int, genctl: RunGenctl) -> None:
    Path("file.yaml").write_text(GOOD)
    done = genctl("train", "--config", source)
    assert done.code == code
    assert len(error_lines(done)) == 1
    assert [path.name for path in Path().iterdir()] == ["file.yaml"]


@pytest.mark.fault("E1")
@pytest.mark.parametrize("command", [["train", "--config"], ["configs", "check"]])
def test_mistakes_are_reported_before_torch_is_loaded(command: list[str], tmp_path: Path) -> None:
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

TEXTS = ["on", "off", "yes", "No", "y", "010", "0x10", "0x1p3", "1_000", "1:30", "2024-01-01",
         "1e", "--1", "'0.1'"]  # fmt: skip
OTHERS = {
    ".nan": "the number nan",
    ".inf": "the number inf",
    "1e999": "the number inf",
    "[1]": "a list of 1",
    "{a: 1}": "a section of settings",
    "true": "the truth value true",
}


@pytest.mark.fault("E2")
@pytest.mark.parametrize("word", [*TEXTS, *OTHERS])
def test_what_is_no_number_is_not_taken_for_one(word: str, genctl: RunGenctl) -> None:
    (line,) = refuse(genctl, f"{GOOD}optimizer:\n  learning_rate: {word}\n")
    found = OTHERS.get(word, f"the text {word.strip(chr(39))!r}")
    assert line.startswith("file.yaml:3: optimizer.learning_rate: must be a")
    assert line.endswith(f"number, found {found}")
    accept(genctl, GOOD)


@pytest.mark.fault("E2")
@pytest.mark.parametrize(("word", "number"), [("1e-3", 0.001), ("1.0e-3", 0.001), ("1E-3", 0.001),
                                              (".5", 0.5), ("+1", 1.0), ("1", 1.0)])  # fmt: skip
def test_a_number_in_any_usual_spelling_is_that_number(word: str, number: float) -> None:
    config = configs.parse(f"{GOOD}optimizer: {{learning_rate: {word}}}", "file.yaml")
    assert config.optimizer.learning_rate == number


@pytest.mark.fault("E2")
@pytest.mark.parametrize(
    ("setting", "why"),
    [("training: {seed: 1.0}", "write 1"), ("training: {seed: true}", "the truth value true"),
     ("training: {seed: '1'}", "the text '1'"), ("training: {images: 1e6}", "write 1000000"),
     ("data: {kind: digits, channels: 1.0}", "must be an integer, 1 or 3"),
     ("data: {kind: digits, channels: true}", "must be an integer, 1 or 3"),
     ("data: {kind: no}", "the text 'no'"), ("data: {kind: folder, root: 12}", "the number 12"),
     ("networks: {kind: dcgan, conditional_batchnorm: 1}", "the number 1")],
)  # fmt: skip
def test_a_value_of_another_type_is_never_converted(
    setting: str, why: str, genctl: RunGenctl
) -> None:
    (line,) = refuse(genctl, setting)
    assert why in line


# -- E3: duplicate keys ---------------------------------------------------------------------------


@pytest.mark.fault("E3")
def test_a_duplicate_key_is_reported_with_both_lines(genctl: RunGenctl) -> None:
    text = "training:\n  seed: 1\n  images: 5\n  seed: 2\ndata: {kind: digits}\ntraining: {}\n"
    assert refuse(genctl, text) == [
        "file.yaml:4: training.seed: duplicate key, first on line 2",
        "file.yaml:6: training: duplicate key, first on line 1",
    ]
    (line,) = error_lines(
        genctl("train", "--config", "tiny", "--set", "optimizer.betas={a: 1, a: 2}")
    )
    assert "a: duplicate key" in line
    accept(genctl, GOOD)
