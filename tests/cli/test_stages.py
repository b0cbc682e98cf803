"""How work of several stages looks on a terminal, in a log, and to those who want quiet."""

import sys

import pytest
from genctl.cli.stages import stages

from genctl.cli import stages as module
from genctl.cli.console import Console


def test_a_log_gets_a_line_for_what_takes_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PLAIN_LINE_EVERY", 0.0)
    with stages(Console(False, False, False)) as reporter:
        reporter.info("begun")
        reporter.progress("digging", 0.25)
        reporter.warn("deep")
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["begun", " 25%  digging", "genctl: warning: deep"]


def test_a_log_gets_nothing_for_what_is_quickly_done(capsys: pytest.CaptureFixture[str]) -> None:
    with stages(Console(False, False, False)) as reporter:
        reporter.progress("digging", 1.0)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_for_each_stage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with stages(Console(False, False, False)) as reporter:
        reporter.info("begun [now]")
        reporter.progress("digging", 0.25)
        reporter.progress("digging", 1.0)
        reporter.progress("filling", 0.5)
    out, err = capsys.readouterr()
    assert out == ""
    assert "begun [now]" in err
    assert "digging" in err
    assert "100%" in err
    assert "filling" in err


def test_those_who_want_quiet_get_warnings_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with stages(Console(False, True, False)) as reporter:
        reporter.info("begun")
        reporter.progress("digging", 0.5)
        reporter.warn("deep")
    assert capsys.readouterr().err == "genctl: warning: deep\n"
