"""Reads sources with a format as a run does, one ledger for all of them, and gives plain rows."""

import tempfile
from pathlib import Path

import pyarrow as pa

from attribution.sources import registry
from attribution.sources.input.opening import OpenInput
from attribution.sources.records.model import Ledger
from attribution.sources.wrapping.recognise import unwrapped

DATA = Path(__file__).parents[1] / "sources" / "data"


class CutInput(OpenInput):
    """An input whose blocks of lines are as small as a test asks for."""

    block_bytes = None

    def lines(self, block_bytes):
        yield from super().lines(self.block_bytes or block_bytes)


class Read:
    """What a format made of sources.

    `flows`, `heartbeats`, `names`: rows as dictionaries without nulls, each with its `line`; flows also with what they
    are as heartbeats, where that is not what the format says. `skipped` and `rejected`: counts by reason. `rejects`:
    (source name, line, reason, found).
    """

    def __init__(self, source_format, *sources, block_bytes=None, seen_at=None):
        self.rows, self.rejects, self.blocks = {"flow": [], "heartbeat": [], "name_binding": []}, [], []
        self.ledger = Ledger(sink=lambda r: self.rejects.append((Path(r.source).name, r.line, r.reason, r.found)))
        with tempfile.TemporaryDirectory() as folder:
            for number, source in enumerate(sources):
                path = source
                if not isinstance(source, Path):
                    path = Path(folder) / f"source-{number}"
                    path.write_bytes(source if isinstance(source, bytes) else source.encode())
                self._read(source_format, path, block_bytes, seen_at)
        self.flows, self.heartbeats, self.names = self.rows.values()
        self.skipped = {reason: n for (_, reason), n in self.ledger.skipped.items()}
        self.rejected = {reason: n for (_, reason), n in self.ledger.rejected.items()}

    def _read(self, source_format, path, block_bytes, seen_at):
        with CutInput(path) as data:
            data.block_bytes, data.seen_at = block_bytes, seen_at
            found, account = registry.detect(data), self.ledger.of(source_format)
            assert found.format.name == source_format.name
            for block in source_format.read(unwrapped(data, found, account), account):
                assert {len(column) for column in block.columns.values()} == {len(block.lines)}
                self.blocks.append(block)
                table = pa.table(dict(block.columns))
                for row, line in zip(table.to_pylist(), block.lines.tolist(), strict=True):
                    kept = {name: value for name, value in row.items() if value is not None} | {"line": line}
                    self.rows[block.kind].append(kept)


def counts(read):
    """Rows by kind, and what was left out by reason, for one assertion."""
    rows = {kind: len(found) for kind, found in read.rows.items() if found}
    return {"rows": rows, "skipped": read.skipped, "rejected": read.rejected}
