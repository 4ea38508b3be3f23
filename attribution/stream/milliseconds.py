"""The border between milliseconds, in which Kafka and Flink count time, and microseconds, in which all else does."""

from attribution.config import Microseconds

_MICROSECONDS = 1_000


def to_us(milliseconds: int) -> Microseconds:
    """The microseconds of whole milliseconds: an instant since 1970, or a duration."""
    return milliseconds * _MICROSECONDS


def to_ms(microseconds: Microseconds) -> int:
    """The last whole millisecond that is not after these microseconds."""
    return microseconds // _MICROSECONDS


def to_ms_after(microseconds: Microseconds) -> int:
    """The first whole millisecond that is not before these microseconds."""
    return -(-microseconds // _MICROSECONDS)
