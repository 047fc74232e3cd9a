"""SIGTERM and Ctrl-C are noted within the context, and act as before outside of it."""

import os
import signal

import pytest

from capnet.engine.interrupt import StopRequest

NUMBERS = [signal.SIGTERM, signal.SIGINT]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_noted(number):
    with StopRequest() as request:
        assert not request.noted
        os.kill(os.getpid(), number)
        assert request.noted


def test_the_handlers_are_given_back_however_it_ends():
    before = [signal.getsignal(number) for number in NUMBERS]
    with StopRequest():
        assert [signal.getsignal(number) for number in NUMBERS] != before
    assert [signal.getsignal(number) for number in NUMBERS] == before
    with pytest.raises(ZeroDivisionError), StopRequest():
        raise ZeroDivisionError
    assert [signal.getsignal(number) for number in NUMBERS] == before


def test_a_second_ctrl_c_interrupts_and_a_second_sigterm_does_not():
    with StopRequest():
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
