"""A source in memory, with the block size that a test asks for, and what a reader makes of it as plain rows."""

import io
from datetime import datetime

from attribution.sources.records.model import Ledger
from attribution.sources.records.validate import canonical
from attribution.sources.wrapping.recognise import recognise, unwrapped


class MemoryInput:
    def __init__(self, content, *, name="memory", block_bytes=None, network=None, seen_at=None):
        self.name, self.network, self.seen_at = name, network, seen_at
        self._content = content if isinstance(content, bytes) else content.encode()
        self._block_bytes = block_bytes
        self._at = 0

    def head(self):
        return self._content[: 64 << 10]

    def read(self, size):
        part = self._content[self._at : self._at + size]
        self._at += len(part)
        return part

    def lines(self, block_bytes):
        size, line, at = self._block_bytes or block_bytes, 1, 0
        while at < len(self._content):
            end = self._content.rfind(b"\n", at, at + size) + 1 or self._content.find(b"\n", at) + 1
            block = self._content[at : end or len(self._content)]
            yield line, block
            line += block.count(b"\n")
            at += len(block)

    def seekable_file(self):
        return io.BytesIO(self._content)


class KeepingLedger(Ledger):
    """A ledger that keeps its rejects."""

    def __init__(self):
        super().__init__()
        self.rejects = []

    def keep(self, reject):
        self.rejects.append(reject)


def rows_of(source_format, content, **options):
    """Canonical rows by kind and the ledger, of content or of an input.

    A row is a dictionary without its nulls, times as microseconds, with its `line`.
    """
    data = content if hasattr(content, "lines") else MemoryInput(content, **options)
    ledger, rows = KeepingLedger(), {}
    account = ledger.of(source_format)
    found = recognise(data.head(), lambda head: source_format if source_format.matches(head) else None)
    for block in source_format.read(unwrapped(data, found, account) if found else data, account):
        rows.setdefault(block.kind, []).extend(canonical_rows(block, ledger, source_format))
    return rows, ledger


def canonical_rows(block, ledger, source_format):
    assert {len(column) for column in block.columns.values()} == {len(block.lines)}
    before = len(ledger.rejects)
    batch = canonical(block, ledger.of(source_format))
    dropped = {reject.line for reject in ledger.rejects[before:]}
    lines = [line for line in block.lines.tolist() if line not in dropped]
    rows = []
    for row, line in zip(batch.to_pylist(), lines, strict=True):
        kept = {name: _plain(value) for name, value in row.items() if value is not None}
        rows.append({**kept, "line": line})
    return rows


def _plain(value):
    if isinstance(value, datetime):
        return int(value.timestamp()) * 1_000_000 + value.microsecond
    return value
