"""Flink's timer service in microseconds."""

from pyflink.datastream import TimerService

from attribution.config import Microseconds
from attribution.core.columnar.arrays import NEVER_AFTER, NEVER_BEFORE
from attribution.stream.milliseconds import to_ms_after, to_us


class Timers:
    """The clocks and timers of one key, as an operator is given them with an element or a timer.

    Args:
        service: what Flink gives; it counts milliseconds.

    Attributes:
        now_us: processing time, the clock of the machine.
    """

    def __init__(self, service: TimerService) -> None:
        self._service = service
        self.now_us: Microseconds = to_us(service.current_processing_time())

    @property
    def watermark_us(self) -> Microseconds:
        """The watermark; `NEVER_BEFORE` before the first one, and `NEVER_AFTER` for Flink's last one."""
        return max(NEVER_BEFORE, min(to_us(self._service.current_watermark()), NEVER_AFTER))

    def at_watermark(self, moment_us: Microseconds) -> None:
        """Have `on_timer` called when the watermark has reached a moment, or less than a millisecond later."""
        self._service.register_event_time_timer(to_ms_after(moment_us))

    def at_processing_time(self, moment_us: Microseconds) -> None:
        """Have `on_timer` called when the clock of the machine shows a moment, or less than a millisecond later."""
        self._service.register_processing_time_timer(to_ms_after(moment_us))
