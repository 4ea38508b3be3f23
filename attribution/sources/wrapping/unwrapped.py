"""The content inside of a wrapping, as an input that formats and further wrappings read."""

from collections.abc import Iterator
from typing import BinaryIO

from attribution.errors import SourceError
from attribution.sources.input.decompression import Damage
from attribution.sources.records.model import Input
from attribution.sources.wrapping.layer import Layer, Report

_HEAD_BYTES = 64 << 10


class Unwrapped:
    """An `attribution.sources.records.model.Input` of what stands in a wrapping of another.

    Attributes:
        name: of the source.
        network, seen_at: of the source.
    """

    def __init__(self, data: Input, layer: Layer, report: Report) -> None:
        self.name = data.name
        self.network = data.network
        self.seen_at = data.seen_at
        self._around = data
        self._blocks = layer.unwrap(data, report)
        self._ready: list[tuple[int, bytes]] = []
        self._pending = b""

    @property
    def damage(self) -> Damage | None:
        """Why the source ended early; None if it did not."""
        damage: Damage | None = getattr(self._around, "damage", None)
        return damage

    def head(self) -> bytes:
        """The first bytes, without consuming them; they are those at the place where reading stands."""
        while sum(len(block) for _, block in self._ready) < _HEAD_BYTES:
            following = next(self._blocks, None)
            if following is None:
                break
            self._ready.append(following)
        return b"".join(_ended(block) for _, block in self._ready)[:_HEAD_BYTES]

    def read(self, size: int) -> bytes:
        """Up to `size` bytes more; `b""` at the end."""
        if not self._pending:
            self._pending = next((_ended(block) for _, block in self._all() if block), b"")
        part, self._pending = self._pending[:size], self._pending[size:]
        return part

    def lines(self, block_bytes: int) -> Iterator[tuple[int, bytes]]:
        """Blocks of whole lines of about `block_bytes`, each with the number of its first line."""
        held: list[bytes] = []
        first = following = size = 0
        for number, block in self._all():
            if held and (size >= block_bytes or number != following):
                yield first, b"".join(held)
                held, size = [], 0
            first = first if held else number
            held.append(_ended(block))
            size += len(held[-1])
            following = number + held[-1].count(b"\n")
        if held:
            yield first, b"".join(held)

    def seekable_file(self) -> BinaryIO:
        """Nothing that is wrapped as text is a file of columns.

        Raises:
            SourceError: always.
        """
        raise SourceError(f"cannot read {self.name}: columns cannot stand in a wrapping of text; unpack them first")

    def _all(self) -> Iterator[tuple[int, bytes]]:
        while self._ready:
            yield self._ready.pop(0)
        yield from self._blocks


def _ended(block: bytes) -> bytes:
    return block if block.endswith(b"\n") or not block else block + b"\n"
