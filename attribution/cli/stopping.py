"""Ctrl-C and the signals that end a process: the run ends at once, and what it was making is removed."""

import _thread
import os
import signal
import sys
import time
from contextlib import suppress
from threading import Event
from types import FrameType

#: How long the run has to end by itself, in seconds.
_GRACE_S = 2.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """A signal asked the run to end."""


class Stopping:
    """Ends the run if a signal asks for it.

    Attributes:
        status: 128 and the number of the signal that came; None if none came.
    """

    def __init__(self) -> None:
        self.status: int | None = None

    def listen(self) -> None:
        """Raise `Stopped` in the main thread if a signal comes; signals that are ignored stay so, as `nohup` wants."""
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._come)

    def _come(self, number: int, _frame: FrameType | None) -> None:
        again, self.status = self.status is not None, 128 + number
        if again:
            self.end()
        # Libraries swallow exceptions, and threads may be at work for long.
        _thread.start_new_thread(self._end_later, ())
        raise Stopped

    def _end_later(self) -> None:
        time.sleep(_GRACE_S)
        self.end()

    def end(self) -> None:
        """End the process now, without waiting for its threads."""
        staging = sys.modules.get("attribution.lake.staging")
        if staging is not None:
            staging.remove_all()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(self.status or 1)


def finish_on_signals() -> Event:
    """An event that Ctrl-C or SIGTERM sets, for what finishes its work then; a second one ends it at once."""
    stopped = Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def finish(number: int, _frame: FrameType | None) -> None:
        stopped.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, finish)
    return stopped
