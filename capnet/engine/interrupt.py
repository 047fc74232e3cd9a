"""A polite end: SIGTERM or Ctrl-C lets the batch finish and the state be saved."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

from capnet.errors import UserError


class StoppedError(UserError):
    """A training was asked to stop and has saved its state; started again, it goes on."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: nothing is wrong, come again


class StopRequest:
    """Whether SIGTERM (preemption) or Ctrl-C has come since the context was entered.

    A second Ctrl-C interrupts as usual. A second SIGTERM changes nothing: launchers send it to all
    processes as soon as one has ended, while the first may still be saving.
    """

    def __init__(self) -> None:
        self.noted = False

    def __enter__(self) -> StopRequest:
        numbers = (signal.SIGTERM, signal.SIGINT)
        self._before = {number: signal.signal(number, self._note) for number in numbers}
        return self

    def __exit__(self, *raised: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.noted = True
        if number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)
