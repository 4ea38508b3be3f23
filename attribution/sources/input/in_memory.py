"""Content in memory as an input: a message, or the beginning of a source."""

import io
from collections.abc import Iterator
from typing import BinaryIO

from attribution.sources.input.decompression import Damage

_HEAD = 64 << 10
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class InMemory:
    """An `attribution.sources.records.model.Input` over bytes.

    Attributes:
        name: as a person names it.
        network, seen_at: as those of `Input`; nobody gave any.
        damage: why the content is not all there is; None if it is.
    """

    def __init__(self, name: str, content: bytes, *, damage: Damage | None = None) -> None:
        self.name = name
        self.network: str | None = None
        self.seen_at: int | None = None
        self.damage = damage
        self._content = content.removeprefix(_BYTE_ORDER_MARK)
        self._at = 0

    def head(self) -> bytes:
        """The first bytes, without consuming them."""
        return self._content[:_HEAD]

    def read(self, size: int) -> bytes:
        """Up to `size` bytes more; `b""` at the end."""
        part = self._content[self._at : self._at + size]
        self._at += len(part)
        return part

    def lines(self, block_bytes: int) -> Iterator[tuple[int, bytes]]:  # noqa: ARG002 - it is one block
        """All lines at once; without the last one if it may be cut off."""
        whole = self._content if self.damage is None else self._content[: self._content.rfind(b"\n") + 1]
        if whole:
            yield 1, whole

    def seekable_file(self) -> BinaryIO:
        """All of it as a file object."""
        return io.BytesIO(self._content)
