"""The run directory: paths, lock, metrics, status, and finding runs."""

import json
import os
from pathlib import Path

import pytest

from genctl.common.errors import CannotCreate, Locked, MissingInput
from genctl.common.files import PREFIX
from genctl.runs.lookup import find_model, find_run, list_runs
from genctl.runs.run import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run(tmp_path / "runs" / "one")
    made.create()
    made.config.write_text("data: {kind: digits}\n")
    return made


def test_a_run_exists_once_it_has_a_config(tmp_path: Path) -> None:
    run = Run(tmp_path / "one")
    assert not run.exists
    run.create()
    assert not run.exists
    run.config.write_text("")
    assert run.exists


def test_a_run_killed_before_its_config_can_be_created_again(tmp_path: Path) -> None:
    run = Run(tmp_path / "one")
    run.create()
    with run.locked():
        pass
    (run.path / f"{PREFIX}abc").write_text("half")
    run.create()


@pytest.mark.parametrize("name", ["thesis.tex", "samples/mine.png", "checkpoints/mine"])
def test_a_folder_with_other_files_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "one" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(CannotCreate, match="is not a run of genctl"):
        Run(tmp_path / "one").create()


def test_checkpoints_sort_by_number(run: Run) -> None:
    assert run.checkpoint_path(1600).name == "000001600.safetensors"
    assert run.sample_path(1600).name == "000001600.png"
    for images in (100, 2000, 30):
        run.checkpoint_path(images).write_text("")
    (run.checkpoints / "000000400.damaged").write_text("")
    assert [path.stem for path in run.checkpoint_paths()] == ["000002000", "000000100", "000000030"]
    run.prune_checkpoints(keep=2)
    assert [path.stem for path in run.checkpoint_paths()] == ["000002000", "000000100"]


def test_metrics_are_truncated_to_the_checkpoint(run: Run) -> None:
    for images in (10, 20, 30):
        run.log({"images": images, "terms": {"a": images / 7}})
    run.truncate_metrics(20)
    assert run.read_metrics() == [
        {"images": 10, "terms": {"a": 10 / 7}},
        {"images": 20, "terms": {"a": 20 / 7}},
    ]
    run.log({"images": 30})
    assert len(run.metrics.read_text().splitlines()) == 3


@pytest.mark.parametrize("torn", ['{"images": 3', '{"images"', "\x00\x00\x00", "7"])
def test_a_torn_last_line_is_ignored(torn: str, run: Run) -> None:
    run.log({"images": 10})
    with run.metrics.open("a") as file:
        file.write(torn)
    assert run.read_metrics() == [{"images": 10}]
    run.truncate_metrics(10)
    run.log({"images": 20})
    assert [record["images"] for record in run.read_metrics()] == [10, 20]


def test_a_lock_keeps_other_processes_out(run: Run) -> None:
    with run.locked():
        assert run.is_locked
        assert run.status() == "running"
        holder = f"process {os.getpid()} on {os.uname().nodename} is using it"
        with pytest.raises(Locked, match=holder), Run(run.path).locked():
            pass
    assert not Run(run.path).is_locked
    assert run.status() == "interrupted"


@pytest.mark.parametrize(
    ("result", "status"),
    [("complete", "complete"), ("diverged", "diverged"), ("failed", "failed"), ("odd", "failed")],
)
def test_the_status_is_that_of_the_result(result: str, status: str, run: Run) -> None:
    run.write_result({"status": result})
    assert run.status() == status


@pytest.mark.parametrize("text", ["", "{", "[]", "7"])
def test_an_unreadable_result_is_empty(text: str, run: Run) -> None:
    run.result.write_text(text)
    assert run.read_result() == {}


def test_moving_aside_never_replaces_an_older_run(run: Run) -> None:
    (run.path.parent / "one.old-1").mkdir()
    assert run.move_aside().name == "one.old-2"
    assert not run.path.exists()
    assert (run.path.parent / "one.old-2" / "config.yaml").exists()


def test_a_run_is_found_by_path_by_name_and_as_the_newest(run: Run) -> None:
    folder = run.path.parent
    other = Run(folder / "two")
    other.create()
    other.config.write_text("")
    for age, each in ((100, run), (200, other)):
        each.model.write_text("")
        os.utime(each.model, (age, age))
    assert find_run(str(run.path), folder).path == run.path
    assert find_run("one", folder).path == run.path
    assert find_run(None, folder).path == other.path
    assert find_model(None, folder) == other.model
    assert find_model(str(run.model), folder) == run.model
    assert [each.path.name for each in list_runs(folder)] == ["one", "two"]


@pytest.mark.parametrize("content", [None, "notes.txt"])
def test_a_folder_that_is_not_a_run_hides_no_run(
    content: str | None, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run.path.parent
    monkeypatch.chdir(folder.parent)
    other = folder.parent / "one"
    other.mkdir()
    if content is not None:
        (other / content).write_text("mine")
    assert find_run("one", folder).path == run.path
    assert [each.path.name for each in list_runs(folder.parent)] == []
    with pytest.raises(MissingInput, match="neither a run directory nor a name"):
        find_run("one", folder.parent / "elsewhere")


def test_a_missing_run_or_model_is_missing_input(run: Run, tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="cannot find the run three"):
        find_run("three", run.path.parent)
    with pytest.raises(MissingInput, match="cannot find a trained model"):
        find_run(None, tmp_path / "nowhere")
    with pytest.raises(MissingInput, match="written at the first checkpoint"):
        find_model("one", run.path.parent)


def test_the_result_is_json_that_ends_with_a_newline(run: Run) -> None:
    run.write_result({"status": "complete", "images": 3})
    text = run.result.read_text()
    assert json.loads(text) == {"status": "complete", "images": 3}
    assert text.endswith("}\n")
