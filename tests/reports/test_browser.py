"""The page of a report in a browser: its slider works, and it asks the network for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from genctl.reports.page import render
from genctl.reports.report import build_report
from genctl.runs.lookup import list_runs
from tests.support.browser import chromium
from tests.support.written_runs import write_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of two runs, one with grids in between and a hostile name."""
    folder = tmp_path_factory.mktemp("report")
    write_run(folder / "runs", "one", fids=(2.0, 1.0))
    write_run(
        folder / "runs", "<script>alert(1)<script>", fids=(3.0, 2.0), grids=(0, 1600, 3200, 6400)
    )
    page = folder / "report.html"
    page.write_bytes(render(build_report(list_runs(folder / "runs"), None, pytest.fail)))
    return page


@pytest.fixture
def problems() -> list[str]:
    """What a page said and asked for that it should not."""
    return []


@pytest.fixture
def page(browser: Browser, path: Path, problems: list[str]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 800})
    opened = context.new_page()
    opened.on("console", lambda message: problems.append(f"console: {message.text}"))
    opened.on("pageerror", lambda error: problems.append(f"error: {error}"))
    opened.on("dialog", lambda dialog: problems.append(f"dialog: {dialog.message}"))
    opened.on("request", lambda request: problems.append(f"request: {request.url[:60]}"))
    opened.goto(path.as_uri())
    problems.remove(f"request: {path.as_uri()[:60]}")  # the page itself
    yield opened
    context.close()
    assert [problem for problem in problems if not problem.startswith("request: data:")] == []


def shown(page: Page) -> list[list[str]]:
    """The grids that can be seen, for each run."""
    return [
        [
            image.get_attribute("data-images") or ""
            for image in run.query_selector_all("img:visible")
        ]
        for run in page.query_selector_all("[data-run]")
    ]


def test_the_slider_shows_each_moment_of_training(page: Page) -> None:
    assert shown(page) == [["6400"], ["6400"]]
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    assert shown(page) == [["0"], ["0"]]
    assert page.locator("#seen").inner_text() == "0 images"
    page.keyboard.press("ArrowRight")  # only the second run has a grid here
    assert shown(page) == [["0"], ["1600"]]
    assert slider.get_attribute("aria-valuetext") == "1,600 images"
    assert page.locator("[data-seen]").all_inner_texts() == ["0 images", "1,600 images"]
    page.keyboard.press("End")
    assert shown(page) == [["6400"], ["6400"]]


def test_play_begins_at_the_beginning_and_stops_at_the_end(page: Page) -> None:
    button = page.locator("#play")
    button.click()
    assert shown(page)[0] == ["0"]
    assert button.inner_text() == "Pause"
    button.get_by_text("Play").wait_for()
    assert shown(page) == [["6400"], ["6400"]]


def test_every_picture_can_be_decoded(page: Page) -> None:
    widths = page.evaluate(
        "Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))"
    )
    assert len(widths) == 7
    assert min(widths) >= 640


def test_names_are_text(page: Page) -> None:
    assert "<script>alert(1)<script>" in page.locator("tbody").inner_text()
    assert page.locator("script").count() == 1


def test_a_narrow_screen_scrolls_only_the_table(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_script_that_got_in_would_not_run(browser: Browser, path: Path, tmp_path: Path) -> None:
    """The content security policy, should escaping ever fail."""
    tampered = tmp_path / "tampered.html"
    text = path.read_text()
    bad = '<script>document.title = "run"</script><img src="x" onerror="document.title = 1">'
    tampered.write_text(text.replace("</main>", f"{bad}</main>"))
    page = browser.new_page()
    page.goto(tampered.as_uri())
    assert page.title() == "genctl report: 2 runs"
    page.close()
