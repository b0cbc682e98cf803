"""genctl report, film and card as commands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, RunGenctl, run_genctl
from tests.support.written_runs import write_run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    write_run(folder, "one", fids=(1.0,))
    write_run(folder, "two", fids=(2.0,))
    return folder


COMMANDS = (("report", "report.html"), ("film", "film.gif"), ("card", "runs/two/README.md"))


@pytest.mark.parametrize(("command", "path"), COMMANDS)
def test_the_path_is_what_stdout_prints(
    command: str, path: str, genctl: RunGenctl, runs: Path, tmp_path: Path
) -> None:
    os.utime(runs / "one" / "model.safetensors", (1, 1))  # two is the newest
    done = genctl(command)
    assert (done.code, done.out) == (0, f"{path}\n")
    assert (tmp_path / path).stat().st_size > 1000
    assert done.err
    quiet = genctl(command, "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, f"{path}\n", "")
    assert genctl(command, "--json").json["out"] == path


@pytest.mark.parametrize(("command", "path"), COMMANDS)
def test_a_run_may_be_named_by_path_name_or_model(
    command: str, path: str, genctl: RunGenctl, runs: Path
) -> None:
    out = f"elsewhere/out{Path(path).suffix}"
    for name in ("one", "runs/one", "runs/one/model.safetensors"):
        done = genctl(command, name, "--out", out)
        assert (done.code, done.out) == (0, f"{out}\n")
    for name, code in (("three", 66), ("runs/one/config.yaml", 0)):
        assert genctl(command, name, "--out", out).code == code


@pytest.mark.parametrize("command", ["report", "film", "card"])
def test_without_runs_the_input_is_missing(command: str, genctl: RunGenctl) -> None:
    done = genctl(command, "--runs", "nowhere", "--json")
    assert done.json["exit_code"] == done.code == 66
    assert "genctl train" in done.err


@pytest.mark.parametrize("command", ["report", "film", "card"])
def test_an_output_that_cannot_be_created_has_its_code(
    command: str, genctl: RunGenctl, runs: Path
) -> None:
    suffix = {"report": ".html", "film": ".gif", "card": ".md"}[command]
    done = genctl(command, "one", "--out", f"runs/one/config.yaml/out{suffix}")
    assert done.code == 73


def test_the_json_of_a_report_has_the_answer_and_the_rows(genctl: RunGenctl, runs: Path) -> None:
    content = genctl("report", "--json").json
    assert (content["best"], content["cheapest"], content["score"]) == ("one", None, "overall")
    assert [row["run"] for row in content["runs"]] == ["one", "two"]
    assert content["runs"][0]["scores"]["fid"] == 1.0
    assert content["runs"][0]["parameters"] == {"generator": 1000, "critic": 500, "encoder": 0}
    assert genctl("report", "two", "--json").json["best"] == "two"
    assert len(genctl("report", "one", "runs/one", "two", "--json").json["runs"]) == 2


def test_a_wrong_score_or_format_is_refused_before_anything_is_written(
    genctl: RunGenctl, runs: Path, tmp_path: Path
) -> None:
    assert genctl("report", "--score", "fidd").code == 2
    assert genctl("film", "one", "--out", "film.mp4").code == 2
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}


def test_runs_of_the_same_name_are_told_apart(genctl: RunGenctl, runs: Path) -> None:
    write_run(runs.parent / "more", "one", fids=(3.0,))
    rows = genctl("report", "runs/one", "more/one", "--json").json["runs"]
    assert [row["run"] for row in rows] == ["runs/one", "more/one"]


@pytest.mark.parametrize("command", ["report", "film", "card"])
def test_torch_is_not_needed(command: str, runs: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None; from genctl.cli.app import main; "
        f"sys.argv = ['genctl', '{command}', 'one']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=runs.parent, check=False,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_trained_run_can_be_reported_filmed_and_described(tiny_run: Path, tmp_path: Path) -> None:
    report = run_genctl("report", tiny_run, "--json", cwd=tmp_path)
    assert report.json["runs"][0]["parameters"]["generator"] > 0
    film = run_genctl("film", tiny_run, "--json", cwd=tmp_path)
    assert film.json["frames"] == 5  # the first grid and four checkpoints
    card = run_genctl("card", tiny_run, "--out", "card.md", cwd=tmp_path)
    assert card.code == 0
    assert "This model has not been scored." in (tmp_path / "card.md").read_text()
