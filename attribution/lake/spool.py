"""Batches put aside in a first pass over the input and taken up in a second, in memory first and then on disk."""

import shutil
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from attribution.core.columnar.dictionaries import plain

_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")
#: Rows gathered per bucket before they are appended to its file.
_GATHER = 65_536
#: Rows gathered in all buckets before all are appended.
_GATHER_ALL = 1 << 20


class Spool:
    """Batches kept apart by a name, those of each name in the order in which they came.

    Args:
        folder: where what does not stay in memory goes; made when it is needed, removed by `close`.
        memory_bytes: how much stays in memory.
    """

    def __init__(self, folder: Path, *, memory_bytes: int) -> None:
        self._left = memory_bytes
        self._memory: dict[str, list[pa.RecordBatch]] = {}
        self._disk = Buckets(folder)
        self.rows = 0

    def add(self, name: str, batch: pa.RecordBatch) -> None:
        """Put a record batch aside under a name."""
        self.rows += batch.num_rows
        memory = self._memory.setdefault(name, [])
        if self._left > 0:
            self._left -= batch.nbytes
            memory.append(batch)
        else:
            self._disk.add(name, batch)

    def batches(self) -> Iterator[tuple[str, pa.RecordBatch]]:
        """The batches, which stay, with their names; names in the order of their first."""
        for name, memory in self._memory.items():
            yield from ((name, batch) for batch in memory)
            yield from ((name, batch) for batch in self._disk.batches(name))

    def drain(self) -> Iterator[tuple[str, pa.RecordBatch]]:
        """As `batches`, each forgotten when it has been given."""
        for name, memory in self._memory.items():
            memory.reverse()
            while memory:
                yield name, memory.pop()
            yield from ((name, batch) for batch in self._disk.drain(name))

    def close(self) -> None:
        """Forget everything and remove the folder."""
        self._memory.clear()
        self._disk.close()


class Buckets:
    """Batches kept apart by a name, on disk; any number of buckets without as many open files.

    A bucket's file is a sequence of Arrow IPC streams, one for each time that rows were appended to it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: dict[Hashable, Path] = {}
        self._gathered: dict[Hashable, list[pa.RecordBatch]] = {}
        self._waiting = 0
        self.rows: dict[Any, int] = {}

    def add(self, name: Hashable, batch: pa.RecordBatch) -> None:
        """Put a record batch into the bucket of that name."""
        self.rows[name] = self.rows.get(name, 0) + batch.num_rows
        gathered = self._gathered.setdefault(name, [])
        gathered.append(plain(batch))
        self._waiting += batch.num_rows
        if sum(part.num_rows for part in gathered) >= _GATHER:
            self._append(name)
        elif self._waiting >= _GATHER_ALL:
            for one in list(self._gathered):
                self._append(one)

    def batches(self, name: Hashable) -> Iterator[pa.RecordBatch]:
        """The batches of a bucket, which stays."""
        if name in self._paths:
            with pa.OSFile(str(self._paths[name])) as source:
                while source.tell() < source.size():
                    yield from pa.ipc.open_stream(source)
        yield from self._gathered.get(name, [])

    def drain(self, name: Hashable) -> Iterator[pa.RecordBatch]:
        """The batches of a bucket, which is removed."""
        yield from self.batches(name)
        self._waiting -= sum(part.num_rows for part in self._gathered.pop(name, []))
        self.rows.pop(name, None)
        path = self._paths.pop(name, None)
        if path is not None:
            path.unlink()

    def _append(self, name: Hashable) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._paths.setdefault(name, self._folder / f"{len(self._paths)}-{id(self):x}.arrow")
        # In one piece: what is read back is as dense as it was gathered.
        table = pa.Table.from_batches(self._gathered.pop(name)).combine_chunks()
        self._waiting -= table.num_rows
        with path.open("ab") as sink, pa.ipc.new_stream(sink, table.schema, options=_OPTIONS) as writer:
            writer.write_table(table)

    def close(self) -> None:
        """Remove all buckets."""
        self._gathered.clear()
        self._paths.clear()
        self.rows.clear()
        shutil.rmtree(self._folder, ignore_errors=True)
