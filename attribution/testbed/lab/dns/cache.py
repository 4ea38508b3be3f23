"""What a client or a resolver was told, for as long as it may be used, or longer where its keeper is careless."""

from typing import Generic, Self, TypeVar

from attribution.config import SECOND

Value = TypeVar("Value")


class Cache(Generic[Value]):
    """Answers by name, each until its TTL and what the keeper adds to it are over; times in microseconds."""

    def __init__(self, *, overstay: float = 0.0) -> None:
        """Nothing kept yet.

        Args:
            overstay: How much longer than the TTL answers are used, in seconds.
        """
        self._overstay = round(overstay * SECOND)
        self._kept: dict[str, tuple[int, Value]] = {}

    def put(self, name: str, value: Value, *, ttl: float, time: int) -> Self:
        """Keep an answer that was given at this time."""
        self._kept[name] = time + round(ttl * SECOND), value
        return self

    def get(self, name: str, time: int) -> Value | None:
        """The answer, if it is still used."""
        expires, value = self._kept.get(name, (None, None))
        return value if expires is not None and time < expires + self._overstay else None

    def left(self, name: str, time: int) -> float:
        """Seconds of the TTL that are left of an answer that is kept; 0 where it is used for too long."""
        return max(0, self._kept[name][0] - time) / SECOND
