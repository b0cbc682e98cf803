"""Signals end the work or raise flags; what that does to a run is in faults/test_b_*."""

import os
import signal

import pytest

from genctl.common.errors import Interrupted
from genctl.common.signals import STOP_SIGNALS, Stopped


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_ends_the_work_where_it_is(number: int) -> None:
    with pytest.raises(Stopped) as stopped, signal_flags():
        os.kill(os.getpid(), number)
    told = stopped.value.as_error("nothing was begun")
    assert told.exit_code == 128 + number
    assert str(told).startswith(f"interrupted by {signal.Signals(number).name}: nothing was begun;")


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_patient_work_takes_a_signal_as_a_request(number: int) -> None:
    with signal_flags() as requests, requests.patiently():
        requests.raise_if_ending("all is well")
        os.kill(os.getpid(), number)
        assert requests.ending == number
        with pytest.raises(Interrupted, match=f"{signal.Signals(number).name}: saved") as told:
            requests.raise_if_ending("saved")
    assert told.value.exit_code == 128 + number


def test_who_listens_inside_another_hears_the_same() -> None:
    with signal_flags() as outer:
        with signal_flags() as inner:
            assert inner is outer
        with outer.patiently():
            os.kill(os.getpid(), signal.SIGTERM)
        assert outer.ending == signal.SIGTERM


def test_what_was_put_off_ends_the_work_where_somebody_listens_again() -> None:
    with signal_flags() as outer:
        with outer.patiently():
            signal.raise_signal(signal.SIGTERM)  # as amid an import, nothing is raised yet
        with pytest.raises(Stopped), signal_flags():
            pass


def test_usr1_asks_for_a_checkpoint_and_nothing_else() -> None:
    with signal_flags() as requests:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert requests.checkpoint
        requests.raise_if_ending("goes on")


def test_the_handlers_of_before_come_back() -> None:
    numbers = (*STOP_SIGNALS, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in numbers]
    with signal_flags():
        assert [signal.getsignal(number) for number in numbers] != before
    assert [signal.getsignal(number) for number in numbers] == before


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signal_flags() as requests:
            os.kill(os.getpid(), signal.SIGHUP)  # nothing is raised
            assert requests.ending is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
