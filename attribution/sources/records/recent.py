"""A mapping that forgets: it keeps what was written last, in bounded memory and constant time."""

from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """The entries written last, at least half of `limit` and at most all of it.

    Two generations: entries are written to the young one; when it is full, it becomes the old one, and what was old is
    forgotten. What is kept depends only on the order of writes.
    """

    def __init__(self, limit: int) -> None:
        self._half = max(1, limit // 2)
        self._young: dict[object, Value] = {}
        self._old: dict[object, Value] = {}
        #: Entries forgotten so far.
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: object) -> Value | None:
        """The entry's value, or None where there is none any more."""
        value = self._young.get(key)
        return self._old.get(key) if value is None else value

    def put(self, key: object, value: Value) -> None:
        """Write an entry; it is young again."""
        self._old.pop(key, None)
        self._young[key] = value
        if len(self._young) >= self._half:
            self.forgotten += len(self._old)
            self._young, self._old = {}, self._young
