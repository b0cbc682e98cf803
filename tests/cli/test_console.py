"""Words go where they belong, and every failure is one line and an exit code."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from genctl import __version__
from genctl.cli.console import Console, console, printable
from genctl.common.errors import ConfigError, Diverged, GenctlError, MissingInput
from genctl.common.signals import Stopped
from tests.conftest import REPOSITORY, Completed, RunGenctl, run_genctl


def strictly(text: str) -> object:
    """JSON as other languages read it."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


# -- one command ----------------------------------------------------------------------------------

Capture = pytest.CaptureFixture[str]


def fail(error: BaseException, *, as_json: bool = False, debug: bool = False) -> int:
    with pytest.raises(typer.Exit) as left, console(as_json, quiet=False, debug=debug):
        raise error
    return left.value.exit_code


@pytest.mark.parametrize("kind", [MissingInput, Diverged])
def test_an_error_for_people_is_one_line_and_its_exit_code(
    kind: type[GenctlError], capsys: Capture
) -> None:
    assert fail(kind("cannot read x: gone; look for it")) == kind.exit_code
    assert capsys.readouterr() == ("", "genctl: error: cannot read x: gone; look for it\n")


def test_with_json_a_failure_is_one_object_too(capsys: Capture) -> None:
    error = ConfigError(["a:1: b", "a:2: c"])
    assert fail(error, as_json=True) == 2
    out, err = capsys.readouterr()
    assert json.loads(out) == {"status": "failed", "error": "a:1: b\na:2: c", "exit_code": 2}
    assert err == "genctl: error: a:1: b\ngenctl: error: a:2: c\n"


def test_a_failure_keeps_what_was_reached(capsys: Capture) -> None:
    error = Diverged("diverged")
    error.result = {"status": "diverged", "images": 5, "loss": float("nan")}  # type: ignore[attr-defined]
    assert fail(error, as_json=True) == 3
    assert strictly(capsys.readouterr().out) == {
        "status": "diverged", "error": "diverged", "images": 5, "loss": None, "exit_code": 3
    }  # fmt: skip


def test_a_bug_is_one_line_and_its_traceback_only_with_debug(capsys: Capture) -> None:
    assert fail(ZeroDivisionError("two\nlines")) == 1
    assert capsys.readouterr().err == (
        "genctl: error: a bug in genctl: ZeroDivisionError: two lines; run it with --debug and "
        "report what that prints\n"
    )
    assert fail(ZeroDivisionError("x"), debug=True) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_is_130(capsys: Capture) -> None:
    assert fail(Stopped(signal.SIGINT), as_json=True) == 130
    out, err = capsys.readouterr()
    line = (
        "interrupted by SIGINT: no file was left half written; run the same command again to go on"
    )
    assert json.loads(out) == {"status": "interrupted", "error": line, "exit_code": 130}
    assert err == f"genctl: error: {line}\n"


def test_quiet_silences_what_is_said_and_no_warning(capsys: Capture) -> None:
    out = Console(as_json=False, quiet=True, debug=False)
    out.info("by the way")
    out.warn("look")
    assert capsys.readouterr() == ("", "genctl: warning: look\n")


def test_a_result_is_plain_text_or_json_never_both(capsys: Capture) -> None:
    Console(as_json=False, quiet=False, debug=False).result({"a": 1}, "text")
    assert capsys.readouterr().out == "text\n"
    values = {"a": float("inf"), "b": [float("nan"), (1.5,)], "c": "\x1b"}
    Console(as_json=True, quiet=False, debug=False).result(values, "text")
    found = capsys.readouterr().out
    assert strictly(found) == {"a": None, "b": [None, [1.5]], "c": "\x1b"}
    assert found.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain ü 字 🙂", "plain ü 字 🙂"), ("\x1b[31m", "\\x1b[31m"), ("a\r\nb", "a\\r\\nb"),
     ("\x9b1m", "\\x9b1m"), ("\u202ex", "\\u202ex"), ("\udc80", "\\udc80"), ("\0", "\\x00")],
)  # fmt: skip
def test_control_characters_are_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


# -- the whole program ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    ["--bogus", "bogus", "configs", "configs bogus", "configs show", "train", "runs --bogus",
     "train --config tiny --max-time 0", "sample --n x", "configs list extra", "runs --runs"],
)  # fmt: skip
def test_an_unusable_command_line_is_one_line_and_exit_2(genctl: RunGenctl, line: str) -> None:
    done = genctl(*line.split())
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("genctl: error: ")
    assert done.err.count("\n") == 1
    assert done.err.endswith("--help`\n")


def test_an_unusable_command_line_with_json_is_an_object(genctl: RunGenctl) -> None:
    done = genctl("runs", "--bogus", "--json")
    assert done.json["exit_code"] == done.code == 2
    assert "--bogus" in done.json["error"]


def test_escapes_on_the_command_line_are_shown_as_text(genctl: RunGenctl) -> None:
    for arguments in (["--\x1b[31mred"], ["configs", "check", "\x1b[31mred\nx"]):
        done = genctl(*arguments)
        assert "\\x1b[31mred" in done.err
        assert done.err.count("\n") == 1


def test_version_and_help_go_to_stdout(genctl: RunGenctl) -> None:
    version = genctl("--version")
    assert (version.code, version.out, version.err) == (0, f"{__version__}\n", "")
    for arguments in ([], ["--help"], ["-h"], ["train", "-h"]):
        done = genctl(*arguments)
        assert (done.code, done.err) == (0, "")
        assert "Usage: genctl" in done.out


def piped(arguments: list[str], redirect: str, tmp_path: Path) -> Completed:
    """Run genctl in a shell that connects its streams."""
    line = f'"{sys.executable}" -m genctl {" ".join(arguments)} {redirect}'
    done = subprocess.run(
        ["bash", "-c", f"{line}; echo code ${{PIPESTATUS[0]}} >code"],
        capture_output=True, text=True, cwd=tmp_path, check=True, timeout=60,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    return Completed(int((tmp_path / "code").read_text().split()[1]), done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("arguments", "redirect", "code"),
    [
        (["configs", "list"], "| true", 141),
        (["configs", "list", "--json"], "| true", 141),
        (["--version"], "| true", 141),
        (["configs", "check", "nowhere", "--json"], "| true", 66),
        (["configs", "check", "nowhere"], "2>&1 | true", 66),
        (["configs", "list"], ">&-", 0),
        (["configs", "check", "nowhere"], "2>&-", 66),
    ],
)
def test_a_reader_that_leaves_makes_no_traceback(
    arguments: list[str], redirect: str, code: int, tmp_path: Path
) -> None:
    done = piped(arguments, redirect, tmp_path)
    assert done.code == code
    assert done.out == ""
    assert "Traceback" not in done.err
    assert "Exception" not in done.err


def test_help_for_a_reader_that_leaves_makes_no_traceback(tmp_path: Path) -> None:
    assert piped(["train", "--help"], "| true", tmp_path).err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a full device")
def test_a_full_disk_behind_stdout_is_told(tmp_path: Path) -> None:
    done = piped(["configs", "list"], ">/dev/full", tmp_path)
    assert done.code == 74
    assert done.err == (
        "genctl: error: cannot write to stdout: No space left on device; make room\n"
    )


def test_a_terminal_that_knows_few_letters_is_no_bug(tmp_path: Path) -> None:
    (tmp_path / "runs" / "für").mkdir(parents=True)
    (tmp_path / "runs" / "für" / "config.yaml").write_text("data: {kind: digits}")
    for encoding, shown in (("utf-8", "für"), ("ascii", "f\\xfcr")):
        done = run_genctl("runs", cwd=tmp_path, PYTHONIOENCODING=encoding)
        assert (done.code, done.err) == (0, "")
        assert shown in done.out
