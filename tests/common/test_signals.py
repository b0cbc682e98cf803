"""The handlers raise Stopped or set flags; tests/faults/test_b_* show the effect on a run."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest

from genctl.common.signals import STOP_SIGNALS, Stopped, signal_flags


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_raises_stopped(number: int) -> None:
    with pytest.raises(Stopped) as stopped, signal_flags():
        signal.raise_signal(number)
    error = stopped.value.as_error("nothing was saved")
    assert error.exit_code == 128 + number
    assert str(error).startswith(f"interrupted by {signal.Signals(number).name}: nothing was saved")


def test_no_handler_of_exceptions_catches_stopped() -> None:
    with pytest.raises(Stopped), signal_flags(), contextlib.suppress(Exception):
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_deferred_signal_sets_a_flag(number: int) -> None:
    with signal_flags() as flags:
        with flags.deferred():
            signal.raise_signal(number)
            assert flags.stop == number
        assert flags.stop == number  # nothing is raised afterwards either


def test_after_the_deferral_a_signal_raises_again() -> None:
    with signal_flags() as flags:
        with flags.deferred(), flags.deferred():
            pass
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("block", ["flags.deferred()", "contextlib.suppress(Stopped)"])
def test_a_second_signal_ends_the_process_at_once(block: str) -> None:
    script = f"""
import contextlib, signal
from genctl.common.signals import Stopped, signal_flags
with signal_flags() as flags:
    with {block}:
        signal.raise_signal(signal.SIGTERM)
    print("first", flush=True)
    signal.raise_signal(signal.SIGINT)
    print("second", flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGINT, "first\n", "")


def test_a_nested_block_shares_the_flags() -> None:
    with signal_flags() as outer:
        with signal_flags() as inner:
            assert inner is outer
        with outer.deferred():  # the handlers are still there
            signal.raise_signal(signal.SIGTERM)
        assert outer.stop == signal.SIGTERM


def test_usr1_only_asks_for_a_checkpoint() -> None:
    with signal_flags() as flags:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert flags.checkpoint
        assert flags.stop is None


def test_the_previous_handlers_come_back() -> None:
    numbers = (*STOP_SIGNALS, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in numbers]
    with signal_flags():
        assert [signal.getsignal(number) for number in numbers] != before
    assert [signal.getsignal(number) for number in numbers] == before


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with signal_flags() as flags:
            os.kill(os.getpid(), signal.SIGHUP)
            assert flags.stop is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
