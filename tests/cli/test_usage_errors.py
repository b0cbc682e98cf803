"""A mistyped command line gets one line that says what was meant."""

from pathlib import Path

import pytest

from tests.cli.test_runs import make
from tests.conftest import RunGenctl

MISTAKES = {
    "trian": "genctl trian: no such command; did you mean 'train'?",
    "configs shwo": "genctl configs shwo: no such command; did you mean 'show'?",
    "zzz": "genctl zzz: no such command; see `genctl --help`",
    "train --confg x": "genctl train --confg: no such option; did you mean '--config'?",
    "configs list --jsn": "genctl configs list --jsn: no such option; did you mean '--json'?",
    "--verson": "genctl --verson: no such option; did you mean '--version'?",
    "train -z": "genctl train -z: no such option; see `genctl train --help`",
    "sample --format gird": "--format gird: must be one of grid, png, npz; did you mean 'grid'?",
    "evaluate --against x": "--against x: must be one of train, test",
    "sample --n many": "--n: must be an integer; see `genctl sample --help`",
    "sample --n 0": "--n: must be greater than or equal to 1; see `genctl sample --help`",
    "sample extra": "genctl sample: got unexpected extra argument(s) (extra); see "
    "`genctl sample --help`",
    "train": "genctl train: missing option '--config' or '--data'; see `genctl train --help`",
    "encode": "genctl encode: missing argument 'INPUT'; see `genctl encode --help`",
    "configs": "genctl configs: missing command; see `genctl configs --help`",
    "train --config tiny --set training.imges=3": "--set training.imges=3: training.imges: unknown "
    "key; did you mean training.images?",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_refused_on_one_line(genctl: RunGenctl, line: str) -> None:
    done = genctl(*line.split())
    assert (done.code, done.out, done.err) == (2, "", f"genctl: error: {MISTAKES[line]}\n")


def test_with_json_the_mistake_is_the_result(genctl: RunGenctl) -> None:
    done = genctl("trian", "--json")
    text = "genctl trian: no such command; did you mean 'train'?"
    assert done.json == {"status": "failed", "error": text, "exit_code": 2}


def test_the_nearest_preset_and_run_are_named(genctl: RunGenctl, tmp_path: Path) -> None:
    make(tmp_path / "runs", "c240")
    for line, meant in (
        ("train --config minst_gan", "mnist_gan"),
        ("sample --run c24", "'c240'"),
        ("film c24", "'c240'"),
    ):
        done = genctl(*line.split())
        assert (done.code, done.out) == (66, "")  # a missing file, as far as genctl can know
        assert done.err.endswith(f"; did you mean {meant}?\n")
    assert genctl("sample", "--run", "zzz").err.endswith("; `genctl runs` lists them\n")


def test_control_characters_are_escaped(genctl: RunGenctl) -> None:
    for line in (["\x1b[31m"], ["train", "--\x1b[31m"], ["sample", "--format", "\x1b[31m"]):
        done = genctl(*line)
        assert done.code == 2
        assert "\x1b" not in done.err
        assert done.err.count("\n") == 1
