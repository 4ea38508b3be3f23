"""A Kafka value as a source that formats read."""

import io
from collections.abc import Iterator
from typing import BinaryIO

_HEAD = 64 << 10
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ValueInput:
    """An `attribution.sources.records.model.Input` over bytes in memory."""

    name = "the message"

    def __init__(self, value: bytes) -> None:
        self.network: str | None = None
        self.seen_at: int | None = None
        self._value = value.removeprefix(_BYTE_ORDER_MARK)
        self._at = 0

    def head(self) -> bytes:
        """The first bytes, without consuming them."""
        return self._value[:_HEAD]

    def read(self, size: int) -> bytes:
        """Up to `size` bytes more; `b""` at the end."""
        part = self._value[self._at : self._at + size]
        self._at += len(part)
        return part

    def lines(self, block_bytes: int) -> Iterator[tuple[int, bytes]]:  # noqa: ARG002 - it is one block
        """All lines at once: a message is small."""
        if self._value:
            yield 1, self._value

    def seekable_file(self) -> BinaryIO:
        """All of it as a file object."""
        return io.BytesIO(self._value)
