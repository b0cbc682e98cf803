"""Results go to stdout, messages to stderr; every failure is one line and an exit code."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from genctl import __version__
from genctl.cli.console import Console, console, loading, printable
from genctl.common.errors import ConfigError, Diverged, GenctlError, MissingInput
from genctl.common.signals import Stopped, signal_flags
from tests.conftest import REPOSITORY, Completed, RunGenctl, run_genctl


def strict_json(text: str) -> object:
    """Parse JSON, which has no NaN."""

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
def test_an_error_is_one_line_and_its_exit_code(kind: type[GenctlError], capsys: Capture) -> None:
    assert fail(kind("cannot read x: gone; look for it")) == kind.exit_code
    assert capsys.readouterr() == ("", "genctl: error: cannot read x: gone; look for it\n")


def test_with_json_a_failure_is_one_object_too(capsys: Capture) -> None:
    error = ConfigError(["a:1: b", "a:2: c"])
    assert fail(error, as_json=True) == 2
    out, err = capsys.readouterr()
    assert json.loads(out) == {"status": "failed", "error": "a:1: b\na:2: c", "exit_code": 2}
    assert err == "genctl: error: a:1: b\ngenctl: error: a:2: c\n"


def test_the_result_of_an_error_is_part_of_the_json(capsys: Capture) -> None:
    error = Diverged("diverged")
    error.result = {"status": "diverged", "images": 5, "loss": float("nan")}
    assert fail(error, as_json=True) == 3
    assert strict_json(capsys.readouterr().out) == {
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
        "interrupted by SIGINT: no file was left half written; "
        "run the same command again to continue"
    )
    assert json.loads(out) == {"status": "interrupted", "error": line, "exit_code": 130}
    assert err == f"genctl: error: {line}\n"


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ImportError("half loaded"), 143, "interrupted by SIGTERM: "),
        (MissingInput("cannot read x: gone; look for it"), 66, "cannot read x: gone"),
    ],
)
def test_a_bug_after_a_stop_signal_is_that_stop(
    error: Exception, code: int, message: str, capsys: Capture
) -> None:
    """An import or a library may turn the exception of the signal handler into its own."""

    def stop() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except Stopped:
            raise error from None

    with pytest.raises(typer.Exit) as left, console(as_json=False, quiet=False, debug=False):
        stop()
    assert left.value.exit_code == code
    assert capsys.readouterr().err.startswith(f"genctl: error: {message}")


def test_a_signal_is_obeyed_after_the_imports() -> None:
    imported = []

    def load() -> None:
        with loading():
            signal.raise_signal(signal.SIGTERM)
            imported.append("torch")

    with pytest.raises(Stopped):
        load()
    assert imported == ["torch"]


def test_a_signal_before_the_console_is_reported_by_it(capsys: Capture) -> None:
    with signal_flags() as signals:
        with signals.deferred():
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(typer.Exit) as left, console(as_json=True, quiet=False, debug=False):
            raise AssertionError("not stopped")
    assert left.value.exit_code == 130
    assert json.loads(capsys.readouterr().out)["status"] == "interrupted"


def test_quiet_prints_warnings_only(capsys: Capture) -> None:
    out = Console(as_json=False, quiet=True, debug=False)
    out.info("started")
    out.warn("too deep")
    assert capsys.readouterr() == ("", "genctl: warning: too deep\n")


def test_a_result_is_plain_text_or_json_never_both(capsys: Capture) -> None:
    Console(as_json=False, quiet=False, debug=False).result({"a": 1}, "text")
    assert capsys.readouterr().out == "text\n"
    values = {"a": float("inf"), "b": [float("nan"), (1.5,)], "c": "\x1b"}
    Console(as_json=True, quiet=False, debug=False).result(values, "text")
    found = capsys.readouterr().out
    assert strict_json(found) == {"a": None, "b": [None, [1.5]], "c": "\x1b"}
    assert found.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain ü 字 🙂", "plain ü 字 🙂"), ("\x1b[31m", "\\x1b[31m"), ("a\r\nb", "a\\r\\nb"),
     ("\x9b1m", "\\x9b1m"), ("\u202ex", "\\u202ex"), ("\udc80", "\\udc80"), ("\0", "\\x00")],
)  # fmt: skip
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


# -- the whole program ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    ["--bogus", "bogus", "configs", "configs bogus", "configs show", "train", "runs --zzz",
     "train --config tiny --max-time 0", "sample --n x", "configs list extra", "runs --runs"],
)  # fmt: skip
def test_an_unusable_command_line_is_one_line_and_exit_2(genctl: RunGenctl, line: str) -> None:
    done = genctl(*line.split())
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("genctl: error: ")
    assert done.err.count("\n") == 1
    assert done.err.endswith("--help`\n")


def test_an_unusable_command_line_with_json_is_one_object(genctl: RunGenctl) -> None:
    done = genctl("runs", "--bogus", "--json")
    assert done.json["exit_code"] == done.code == 2
    assert "--bogus" in done.json["error"]


def test_escape_sequences_in_arguments_are_printed_as_text(genctl: RunGenctl) -> None:
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
def test_a_broken_pipe_or_a_closed_stream_causes_no_traceback(
    arguments: list[str], redirect: str, code: int, tmp_path: Path
) -> None:
    done = piped(arguments, redirect, tmp_path)
    assert done.code == code
    assert done.out == ""
    assert "Traceback" not in done.err
    assert "Exception" not in done.err


def test_help_into_a_broken_pipe_causes_no_traceback(tmp_path: Path) -> None:
    assert piped(["train", "--help"], "| true", tmp_path).err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a full device")
def test_stdout_on_a_full_disk_is_an_error(tmp_path: Path) -> None:
    done = piped(["configs", "list"], ">/dev/full", tmp_path)
    assert done.code == 74
    assert done.err == (
        "genctl: error: cannot write to stdout: No space left on device; make room\n"
    )


def test_letters_that_the_encoding_lacks_are_escaped(tmp_path: Path) -> None:
    (tmp_path / "runs" / "für").mkdir(parents=True)
    (tmp_path / "runs" / "für" / "config.yaml").write_text("data: {kind: digits}")
    for encoding, shown in (("utf-8", "für"), ("ascii", "f\\xfcr")):
        done = run_genctl("runs", cwd=tmp_path, PYTHONIOENCODING=encoding)
        assert (done.code, done.err) == (0, "")
        assert shown in done.out
