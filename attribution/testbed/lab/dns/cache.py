"""A cache of DNS answers. It may keep an answer longer than its TTL, as careless clients do."""

from typing import Generic, Self, TypeVar

from attribution.config import SECOND

Value = TypeVar("Value")


class Cache(Generic[Value]):
    """Answers by name, each until its TTL and the overstay are over; times in microseconds."""

    def __init__(self, *, overstay: float = 0.0) -> None:
        """Make an empty cache.

        Args:
            overstay: How much longer than its TTL an answer is used, in seconds.
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
        """Seconds that are left of the TTL of an answer in the cache; 0 if the TTL is over."""
        return max(0, self._kept[name][0] - time) / SECOND
