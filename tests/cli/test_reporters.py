"""Progress on a terminal, in a log, and with --quiet."""

import sys

import pytest

from genctl.cli import reporters
from genctl.cli.console import Console
from genctl.cli.reporters import open_reporter
from genctl.common.reporting import TrainingProgress

Capture = pytest.CaptureFixture[str]
LOSSES = {"generator/fake": 0.25, "critic/real": 0.5, "critic/fake": 1.5}


def progress(share: float, **scores: float) -> TrainingProgress:
    return TrainingProgress(share, 6400, 1270.4, 92.3, LOSSES, scores)


@pytest.fixture
def no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print every line of a log, however soon it follows the last one."""
    monkeypatch.setattr(reporters, "LINE_INTERVAL", 0.0)


@pytest.mark.usefixtures("no_interval")
def test_a_log_gets_lines(capsys: Capture) -> None:
    with open_reporter(Console(as_json=False, quiet=False, debug=False)) as reporter:
        reporter.info("started")
        reporter.progress("digging", 0.25)
        reporter.warn("too deep")
        reporter.training(progress(0.5))
        reporter.training(progress(0.75, fid=12.34))
    assert capsys.readouterr().err.splitlines() == [
        "started",
        " 25%  digging",
        "genctl: warning: too deep",
        " 50%  6,400 images  1,270/s  1:32 left  critic fake 1.5 real 0.5 · generator fake 0.25",
        " 75%  6,400 images  1,270/s  1:32 left  critic fake 1.5 real 0.5 · generator fake 0.25  "
        "scores fid 12.3",
    ]


def test_a_log_gets_the_first_line_of_training_at_once_and_no_other_soon(capsys: Capture) -> None:
    with open_reporter(Console(as_json=False, quiet=False, debug=False)) as reporter:
        reporter.progress("digging", 0.5)
        reporter.training(progress(0.25))
        reporter.training(progress(0.5))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(" 25%")


def test_a_terminal_gets_one_bar_and_messages_above_it(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    with open_reporter(Console(as_json=False, quiet=False, debug=False)) as reporter:
        assert isinstance(reporter, reporters.TerminalReporter)
        reporter.info("started [now]")
        reporter.progress("digging", 0.25)
        reporter.progress("filling", 0.5)
        assert [task.description for task in reporter.bar.tasks] == ["filling"]
        reporter.training(progress(0.5, fid=12.34))
        reporter.live.refresh()
        shown = capsys.readouterr().err
    assert "started [now]" in shown
    assert "6,400 images  1,270/s  1:32 left" in shown
    assert "critic fake 1.5 real 0.5" in shown
    assert "generator fake 0.25" in shown
    assert "scores fid 12.3" in shown


def test_quiet_prints_warnings_only(capsys: Capture) -> None:
    with open_reporter(Console(as_json=False, quiet=True, debug=False)) as reporter:
        reporter.info("started")
        reporter.progress("digging", 0.5)
        reporter.training(progress(0.5))
        reporter.warn("too deep")
    assert capsys.readouterr() == ("", "genctl: warning: too deep\n")
