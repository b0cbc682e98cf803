"""The page of a report: what it shows, and that nothing in a run can change it."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from genctl.reports import report
from genctl.reports.page import render
from genctl.reports.report import build_report
from genctl.runs.lookup import list_runs
from tests.support.written_runs import evaluation, write_run

HOSTILE = "<script>alert(1)<script>\"'><img src=x onerror=alert(1)>&lt;`"


class Elements(HTMLParser):
    """The elements of a page, and its text outside of style and script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))
        self.text += " " if tag in ("td", "th", "p", "li") else ""

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] not in ("style", "script"):
            self.text += data

    def all(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.found if name == tag)


def page_of(runs: Path) -> str:
    return render(build_report(list_runs(runs), None, pytest.fail)).decode()


def elements_of(runs: Path) -> Elements:
    return Elements(page_of(runs))


def test_names_and_settings_and_scores_from_files_are_harmless(tmp_path: Path) -> None:
    name = HOSTILE.replace("/", "")
    root = json.dumps(HOSTILE)
    path = write_run(tmp_path, name, "data.kind=folder", f"data.root={root}", fids=(1.0,))
    write_run(tmp_path, "other", fids=(2.0,))
    line = {"images": 2000, "terms": {HOSTILE: 1.0}}
    scores = {"images": 2000, "scores": {HOSTILE: 1.0, "fid": 0.5}}
    with (path / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n" + json.dumps(scores) + "\n")
    found = elements_of(tmp_path)
    assert [tag for tag, _ in found.found].count("script") == 1
    assert all((image["src"] or "").startswith("data:image/webp") for image in found.all("img"))
    assert not [key for _, attributes in found.found for key in attributes if key[:2] == "on"]
    assert found.text.count("<script>alert(1)<script>") > 4


@pytest.mark.parametrize("name", ["a\x1b[31m\x07", "two\nlines", "\u202eback", "\udcff", "x" * 200])
def test_a_strange_name_is_no_obstacle(name: str, tmp_path: Path) -> None:
    write_run(tmp_path, name, fids=(1.0,))
    assert "\n".join(name.splitlines()).replace("\udcff", "?") in elements_of(tmp_path).text


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    write_run(tmp_path, "one", fids=(1.0,))
    found = elements_of(tmp_path)
    links = [
        value
        for _, attributes in found.found
        for key, value in attributes.items()
        if key in ("src", "href", "srcset", "action", "data", "xlink:href")
    ]
    assert links
    assert all((link or "").startswith("data:") for link in links)


def test_the_table_has_each_run_and_the_real_images(tmp_path: Path) -> None:
    write_run(tmp_path, "one", "training.seed=7", fids=(1.0,))
    write_run(tmp_path, "two", fids=(2.0,), status=None, judge={"digest": "b" * 64})
    write_run(tmp_path, "three", fids=(4.0,))
    text = " ".join(elements_of(tmp_path).text.split())
    assert "A one complete 1.10 1.00 0.500 90.0 % 1,000 1 min 40 s 10 1,500 7" in text
    assert "real images 0.260 0.250 0.950 99.0 %" in text
    assert "judge aaaaaaaa (test accuracy 99.0 %)" in text
    assert "interrupted" in text
    assert "measured with another judge; does not compare with the others" in text


def test_settings_that_do_not_differ_are_not_shown(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_run(tmp_path, f"run{seed}", f"training.seed={seed}")
    built = build_report(list_runs(tmp_path), None, pytest.fail)
    assert built.keys == {"training.seed": "seed"}
    assert [run.difference for run in built.grids] == ["", "other z"]


def test_only_the_first_runs_are_plotted_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "MAX_SHOWN", 2)
    for fid in (1.0, 2.0, 3.0):
        write_run(tmp_path, f"run{fid}", fids=(fid, fid))
    built = build_report(list_runs(tmp_path), None, pytest.fail)
    assert [line.series.name for line in built.curves.main[0].lines] == ["run1.0", "run2.0"]
    assert len(built.rows) == 3
    assert "The first 2 runs of the table" in page_of(tmp_path)


def test_curves_of_another_judge_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    write_run(tmp_path, "one", fids=(1.0,))
    write_run(tmp_path, "two", fids=(2.0,))
    write_run(tmp_path, "other", fids=(0.1,), judge={"digest": "b" * 64})
    built = build_report(list_runs(tmp_path), None, pytest.fail)
    assert [line.series.name for line in built.curves.main[0].lines] == ["one", "two"]
    assert built.curves.left_out == ["C"]


@pytest.mark.parametrize(
    ("seconds", "unit"), [(100.0, "seconds"), (200.0, "minutes"), (11_000.0, "hours")]
)
def test_time_has_a_unit_that_fits(seconds: float, unit: str, tmp_path: Path) -> None:
    write_run(tmp_path, "one", fids=(2.0, 1.0), seconds=seconds)
    plots = build_report(list_runs(tmp_path), None, pytest.fail).curves.main
    assert [plot.x_name for plot in plots] == [unit, "images seen"]
    assert all(plot.lines[0].path.count(",") == 2 for plot in plots)


def test_runs_that_were_only_evaluated_are_points(tmp_path: Path) -> None:
    write_run(tmp_path, "one", evaluation=evaluation(0.1))
    write_run(tmp_path, "two", evaluation=evaluation(0.2), seconds=20)
    for score in (None, "copies"):
        plots = build_report(list_runs(tmp_path), score, pytest.fail).curves.main
        assert len(plots) == 2
        assert [len(line.markers) for line in plots[0].lines] == [1, 1]


def test_a_single_value_is_no_plot(tmp_path: Path) -> None:
    write_run(tmp_path, "one", evaluation=evaluation(0.1))
    curves = build_report(list_runs(tmp_path), None, pytest.fail).curves
    assert (curves.main, curves.others) == ([], [])
    assert "Which model" in page_of(tmp_path)


def test_a_score_of_evaluations_alone_leaves_the_curves_of_training(tmp_path: Path) -> None:
    write_run(tmp_path, "one", fids=(2.0, 1.0), evaluation=evaluation(0.1))
    plots = build_report(list_runs(tmp_path), "copies", pytest.fail).curves.main
    assert [len(plot.lines[0].markers) for plot in plots] == [2, 2]


def test_a_damaged_picture_is_left_out_with_a_warning(tmp_path: Path) -> None:
    path = write_run(tmp_path, "one")
    (path / "samples" / "000003200.png").write_bytes(b"\x89PNG\r\n\x1a\nhalf")
    warnings: list[str] = []
    built = build_report(list_runs(tmp_path), None, warnings.append)
    assert [grid.images for grid in built.grids[0].grids] == [0, 6400]
    assert len(warnings) == 1


DAMAGED: dict[str, list[Any]] = {
    "result.json": ["[]", "{", '{"status": [], "images": "many", "seconds": {}}', None],
    "metrics.jsonl": ["[1]\n", '{"images": 3, "seconds": "x", "scores": {"fid": "y"}}\n', "\0",
                      None, '{"images": 3, "scores": {"fid": Infinity, "a": NaN}}\n'],
    "environment.json": ["[]", '{"parameters": [1], "judge": 7, "scoring": "x", "data": {}}',
                         None,
                         '{"parameters": {"generator": "many"}, "scoring": {"real": []}}'],
    "evaluation.json": ["7", '{"scores": [], "judge": 3}', '{"scores": {"fid": "x", "a": {}}}',
                        '{"scores": {"fid": 1}, "n": [], "judge": [], "real": 3, "std": null}'],
    "config.yaml": ["", "[", "data: {kind: of another version}"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content"), [(name, content) for name in DAMAGED for content in DAMAGED[name]]
)
def test_a_damaged_file_hides_nothing_else(name: str, content: str | None, tmp_path: Path) -> None:
    write_run(tmp_path, "one", fids=(1.0,))
    path = write_run(tmp_path, "damaged", fids=(2.0,), evaluation=evaluation(1.0)) / name
    path.unlink()
    path.mkdir() if content is None else path.write_text(content)
    text = elements_of(tmp_path).text
    assert "damaged" in text
    assert "one" in text
