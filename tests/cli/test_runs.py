"""genctl runs: the table, whatever the run directories hold."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from genctl.config import config as configs
from genctl.runs.table import headings
from tests.conftest import RunGenctl


def make(
    runs: Path, name: str, *overrides: str, result: Any = None, metrics: list[Any] | None = None
) -> Path:
    """Write a run directory."""
    path = runs / name
    path.mkdir(parents=True)
    (path / "config.yaml").write_text(configs.dump(configs.load("tiny", list(overrides))))
    if result is not None:
        (path / "result.json").write_text(json.dumps(result))
    if metrics is not None:
        (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in metrics))
    return path


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Four runs that differ in their seed, one of them in its objective."""
    folder = tmp_path / "runs"
    done = {"status": "complete", "images": 6400, "seconds": 12.5, "images_per_second": 700.0}
    scores = [{"images": 3200, "scores": {"fid": 9.0}}, {"images": 6400, "scores": {"fid": 3.5}}]
    make(folder, "good", "training.seed=1", result=done, metrics=scores)
    make(folder, "bad", "training.seed=2", result={"status": "diverged", "images": 320})
    make(folder, "cut", "training.seed=3", metrics=[{"images": 640, "seconds": 2.5}])
    other = make(folder, "other", "objective.kind=hinge", result={"status": "unheard of"})
    (other / "metrics.jsonl").write_text('{"images": 960, "scores": {"fid": 7.25}}\n{"ima')
    return folder


def test_each_run_has_its_status_its_progress_and_its_last_scores(
    genctl: RunGenctl, runs: Path
) -> None:
    rows = {row["run"]: row for row in genctl("runs", "--json").json["runs"]}
    assert {name: row["status"] for name, row in rows.items()} == {
        "good": "complete", "bad": "diverged", "cut": "interrupted", "other": "failed"
    }  # fmt: skip
    assert {name: row["images"] for name, row in rows.items()} == {
        "good": 6400, "bad": 320, "cut": 640, "other": 960
    }  # fmt: skip
    assert {name: row.get("fid") for name, row in rows.items()} == {
        "good": 3.5, "bad": None, "cut": None, "other": 7.25
    }  # fmt: skip
    assert (rows["good"]["seconds"], rows["good"]["images_per_second"]) == (12.5, 700.0)
    assert rows["cut"]["seconds"] == 2.5


def test_only_settings_that_differ_are_columns(genctl: RunGenctl, runs: Path) -> None:
    row = genctl("runs", "--json").json["runs"][0]
    settings = {key for key in row if "." in key}
    assert settings == {
        "training.seed", "objective.kind", "objective.gamma", "objective.r1_interval"
    }  # fmt: skip


def test_a_locked_run_is_running(genctl: RunGenctl, runs: Path) -> None:
    with FileLock(runs / "cut" / ".lock"):
        first = genctl("runs", "--json").json["runs"][0]
    assert (first["run"], first["status"]) == ("cut", "running")


def test_complete_runs_come_first_unless_a_column_is_given(genctl: RunGenctl, runs: Path) -> None:
    def order(*options: str) -> list[str]:
        return [row["run"] for row in genctl("runs", "--json", *options).json["runs"]]

    assert order() == ["good", "cut", "bad", "other"]
    assert order("--sort", "training.seed") == ["other", "good", "bad", "cut"]
    assert order("--sort", "fid") == ["good", "other", "bad", "cut"]
    assert order("--sort", "-fid") == ["other", "good", "bad", "cut"]
    assert order("--sort", "run") == ["bad", "cut", "good", "other"]


def test_an_unknown_column_is_refused(genctl: RunGenctl, runs: Path) -> None:
    done = genctl("runs", "--sort", "-fidd")
    assert (done.code, done.out) == (2, "")
    assert done.err == "genctl: error: --sort -fidd: no such column; did you mean 'fid'?\n"
    done = genctl("runs", "--sort", "zzz")
    assert done.err.startswith("genctl: error: --sort zzz: no such column; use one of run, status")
    assert done.err.endswith(", fid\n")


def test_the_table_has_one_unbroken_line_per_run_if_stdout_is_no_terminal(
    genctl: RunGenctl, runs: Path
) -> None:
    header, *lines = genctl("runs").out.splitlines()
    assert header.split()[:5] == ["run", "status", "images", "seconds", "images_per_second"]
    assert [line.split()[0] for line in lines] == ["good", "cut", "bad", "other"]
    assert lines[0].split()[1:5] == ["complete", "6,400", "12.5", "700"]


def test_a_heading_is_the_shortest_end_of_a_key_that_fits_no_other(
    genctl: RunGenctl, runs: Path
) -> None:
    assert headings(["run", "images", "training.images", "objective.kind", "training.seed"]) == {
        "run": "run",
        "images": "images",
        "training.images": "training.images",
        "objective.kind": "objective.kind",  # although no other kind is in the table
        "training.seed": "seed",
    }
    header = genctl("runs").out.splitlines()[0].split()
    assert header[5:] == ["gamma", "objective.kind", "r1_interval", "seed", "fid"]


def test_a_column_can_be_named_by_its_heading(genctl: RunGenctl, runs: Path) -> None:
    by_key = genctl("runs", "--sort", "-training.seed").out
    assert genctl("runs", "--sort", "-seed").out == by_key != genctl("runs").out


def test_csv_holds_the_same_as_json(genctl: RunGenctl, runs: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(genctl("runs", "--csv").out)))
    for row, expected in zip(rows, genctl("runs", "--json").json["runs"], strict=True):
        known = {key: value for key, value in expected.items() if value is not None}
        assert {key: text for key, text in row.items() if text} == {
            key: str(value) for key, value in known.items()
        }


def test_csv_and_json_together_are_refused(genctl: RunGenctl, runs: Path) -> None:
    done = genctl("runs", "--csv", "--json")
    assert done.json["exit_code"] == done.code == 2


def test_a_folder_without_runs_is_no_error(genctl: RunGenctl) -> None:
    done = genctl("runs", "--runs", "nowhere")
    assert (done.code, done.out) == (0, "")
    assert "no runs in nowhere" in done.err
    assert genctl("runs", "--runs", "nowhere", "--json").json == {"runs": []}


BROKEN: dict[str, Any] = {
    "result.json": ["[]", "{", '{"status": [], "images": "many", "seconds": {}}', "\xff", None,
                    '{"status": "complete", "images": NaN}'],
    "metrics.jsonl": ["[1]\n2\n", "{\n", '{"scores": [1]}\n', '{"images": "x"}\n', "\0", None,
                      '{"images": 3, "scores": {"fid": Infinity, "[b]": 1}}\n'],
    "config.yaml": ["", "[", "data: {kind: of another version}", "\0", None],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content"), [(name, content) for name in BROKEN for content in BROKEN[name]]
)
def test_a_damaged_file_hides_nothing_else(
    genctl: RunGenctl, runs: Path, name: str, content: str | None
) -> None:
    whole = {row["run"]: row for row in genctl("runs", "--json").json["runs"]}
    path = make(runs, "damaged", metrics=[{"images": 1}]) / name
    path.unlink(missing_ok=True)
    path.mkdir() if content is None else path.write_text(content, encoding="latin-1")
    for options in (["--json"], ["--csv"], [], ["--sort", "images"]):
        done = genctl("runs", *options)
        assert done.code == 0, done.err
        assert "damaged" in done.out
    found = {row["run"]: row for row in genctl("runs", "--json").json["runs"]}
    assert {run: found[run] for run in whole} == whole


def test_files_and_folders_that_are_not_runs_are_left_out(genctl: RunGenctl, runs: Path) -> None:
    before = genctl("runs", "--json").out
    (runs / "notes.txt").write_text("mine")
    (runs / "empty").mkdir()
    (runs / "loop").symlink_to(runs / "loop")
    assert genctl("runs", "--json").out == before


def test_control_characters_in_a_name_are_escaped(genctl: RunGenctl, runs: Path) -> None:
    names = ["[bold]loud", "[red", "a\x1b[31mred\x07", "two\nlines", "\u202eback", "\udcff"]
    for name in names:
        make(runs, name)
    printed = ["[bold]loud", "[red", "a\\x1b[31mred\\x07", "two\\nlines", "\\u202eback", "\\udcff"]
    for options in ([], ["--csv"]):
        out = genctl("runs", *options).out
        assert all(text in out for text in printed)
        assert not set("\x1b\x07\u202e\udcff") & set(out)
        assert len(out.splitlines()) == 1 + 4 + len(names)
    assert {row["run"] for row in genctl("runs", "--json").json["runs"]} >= set(names)
