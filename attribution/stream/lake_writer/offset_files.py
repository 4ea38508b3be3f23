"""Files of a lake that are named by what they hold: a stretch of offsets of one partition of a topic.

The name is the resume position: what is in a file is never read again, and what is in none always is. So a crash
neither loses nor repeats a row, if the files of a stretch, which may be many hours', appear together:

    .writing/open/TOPIC-PARTITION/…                   being written; worth nothing after a crash, and removed
    .writing/ready/TOPIC-PARTITION-FIRST-LAST/…       whole and on disk; moved to its places, also after a crash
    TABLE/date=…/hour=…/TOPIC-PARTITION-FIRST-LAST.parquet

The step from open to ready is one rename.

Behind LAST there may be offsets without rows: marks of transactions, aborted messages, messages that only say a time.
A topic deletes them after a while, and a new start must not miss them. So a file without rows says how far they go:

    .writing/read/TOPIC-PARTITION                     "LAST+1 NEXT": between the two there is nothing for the lake

It counts while its first number is still where the files end. Without it these offsets are read again.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pyarrow as pa

from attribution.lake.lake import write_table
from attribution.lake.layout import FOLDERS
from attribution.lake.partitions import DailyWriter, HourlyWriter
from attribution.lake.staging import sync
from attribution.schema import ATTRIBUTED_FLOW, DEAD_LETTER, OWNERSHIP_RANGE, arrow_schema
from attribution.stream.wire.dead_letters import Rejected, letter

_WRITING = ".writing"
_NAME = re.compile(r"(?P<topic>.+)-(?P<partition>\d+)-(?P<first>\d{15})-(?P<last>\d{15})(?:-\d+)?(?:\.parquet)?")


class PartitionFiles:
    """The files of one partition: which offsets they hold, and the next ones. Only one process has it at a time.

    Attributes:
        position: the first offset that is neither in a file nor known to hold no row; None where there are no files.
        rows: rows that were added since the last `finish`.
    """

    def __init__(self, lake: Path, kind: str, topic: str, partition: int, lock: int) -> None:
        self._lake, self._kind, self._lock = lake, kind, lock
        self._topic, self._partition = topic, partition
        self._open = lake / _WRITING / "open" / f"{topic}-{partition}"
        self._ready = lake / _WRITING / "ready"
        self._read = lake / _WRITING / "read" / f"{topic}-{partition}"
        self._hourly: HourlyWriter | None = None
        self._batches: list[pa.RecordBatch] = []
        self._letters: list[dict[str, object]] = []
        self._first: int | None = None
        self._last = -1
        self._read_to = 0
        self._end: int | None = None
        self.rows = 0
        self.position = self.recover()

    @classmethod
    def take(cls, lake: Path, kind: str, topic: str, partition: int) -> Self | None:
        """The files of a partition; None where another process has them.

        The lock is the file system's, and goes with the process: a writer that was thought dead and wakes up cannot
        write what another one has written meanwhile.

        Raises:
            OSError: the lake cannot be read or written.
        """
        folder = lake / _WRITING / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / f"{topic}-{partition}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return cls(lake, kind, topic, partition, lock)
        except BlockingIOError:
            os.close(lock)
            return None
        except BaseException:
            os.close(lock)
            raise

    def recover(self) -> int | None:
        """Remove what was left open, move what was ready to its places; the position."""
        shutil.rmtree(self._open, ignore_errors=True)
        for folder in list(self._stretches(self._ready.iterdir() if self._ready.exists() else iter(()))):
            self._publish(folder)
        offsets = [
            int(found["last"])
            for table in {FOLDERS[self._kind], FOLDERS[DEAD_LETTER]}
            for path in self._stretches((self._lake / table).rglob("*.parquet"))
            if (found := _NAME.fullmatch(path.name))
        ]
        self._end = max(offsets) + 1 if offsets else None
        self.position = self._end if self._end is None else self._without_rows(self._end)
        return self.position

    def _without_rows(self, end: int) -> int:
        """The first offset from `end` on that is not known to hold no row."""
        try:
            known, to = map(int, self._read.read_bytes().split())
        except (OSError, ValueError):
            return end
        return max(to, end) if known == end else end

    def _stretches(self, paths: Iterator[Path]) -> Iterator[Path]:
        """The paths that are named by a stretch of this partition."""
        for path in paths:
            found = _NAME.fullmatch(path.name)
            if found and found["topic"] == self._topic and int(found["partition"]) == self._partition:
                yield path

    def add(self, offset: int, batch: pa.RecordBatch) -> None:
        """Add what the message at `offset` held: a record batch.

        Raises:
            OSError: it cannot be written; `abandon` then.
        """
        self._count(offset, batch.num_rows)
        if self._kind != ATTRIBUTED_FLOW:
            self._batches.append(batch)
        elif batch.num_rows:
            if self._hourly is None:
                self._hourly = HourlyWriter(self._open / FOLDERS[ATTRIBUTED_FLOW], name="part")
            self._hourly.write(batch)

    def add_unreadable(self, offset: int, rejected: Rejected) -> None:
        """Add that the message at `offset` could not be read."""
        self._count(offset, 1)
        self._letters.append(letter(self._topic, self._partition, offset, self._kind, rejected))

    def read_to(self, offset: int) -> bool:
        """Note that no row stands between the last message that was added and `offset`; whether `finish` is due."""
        self._read_to = offset
        return bool(self.rows) or (self.position is not None and offset > self.position)

    def _count(self, offset: int, rows: int) -> None:
        self._first = offset if self._first is None else self._first
        self._last = offset
        self.rows += rows

    def finish(self) -> int:
        """Let the files appear; how many there are. Rows are in no file before, and on disk after.

        Offsets that `read_to` told of are not asked for again, if there are files before them.

        Raises:
            OSError: they cannot be written; `abandon` then.
        """
        files, read_to = 0, self._read_to
        if self.rows and self._first is not None:
            self._close()
            for path in (*self._open.rglob("*"), self._open):
                sync(path)
            self._ready.mkdir(exist_ok=True)
            ready = self._ready / f"{self._topic}-{self._partition}-{self._first:015d}-{self._last:015d}"
            self._open.rename(ready)
            sync(self._ready)
            self.position = self._end = self._last + 1
            self._forget()
            files = self._publish(ready)
        self._forget()
        if self.position is not None and read_to > self.position:
            self._read.parent.mkdir(exist_ok=True)
            written = self._read.parent / f"{self._read.name}.new"
            written.write_text(f"{self._end} {read_to}")
            written.replace(self._read)
            self.position = read_to
        return files

    def _close(self) -> None:
        if self._hourly is not None:
            self._hourly.close()
        if self._letters:
            letters = pa.Table.from_pylist(self._letters, schema=arrow_schema(DEAD_LETTER))
            write_table(letters, self._open / FOLDERS[DEAD_LETTER], name="letters.parquet")
        batches = [batch for batch in self._batches if batch.num_rows]
        if batches:
            schema = arrow_schema(self._kind)
            table = pa.concat_tables([pa.Table.from_batches([batch]).cast(schema) for batch in batches])
            folder = self._open / FOLDERS[self._kind]
            if self._kind == OWNERSHIP_RANGE:
                DailyWriter(folder).write(table.combine_chunks())
            else:
                write_table(table, folder)

    def _publish(self, ready: Path) -> int:
        """Move the files of a stretch to their places; all of them are on disk."""
        paths = sorted(ready.rglob("*.parquet"))
        folders: dict[Path, int] = {}
        for path in paths:
            folder = self._lake / path.parent.relative_to(ready)
            folder.mkdir(parents=True, exist_ok=True)
            number = folders.get(folder, 0)
            target = folder / f"{ready.name}{f'-{number}' if number else ''}.parquet"
            while target.exists():  # moved before a crash
                number += 1
                target = folder / f"{ready.name}-{number}.parquet"
            path.rename(target)
            folders[folder] = number + 1
        changed = {above for folder in folders for above in (folder, *folder.parents)}
        for folder in changed:
            if folder.is_relative_to(self._lake):
                sync(folder)
        shutil.rmtree(ready)
        return len(paths)

    def abandon(self) -> None:
        """Drop what is in no file yet, to be read again from `position`."""
        if self._hourly is not None:
            self._hourly.abandon()
        self._forget()
        shutil.rmtree(self._open, ignore_errors=True)

    def release(self) -> None:
        """Let another process have the partition."""
        self.abandon()
        with suppress(OSError):
            os.close(self._lock)

    def _forget(self) -> None:
        self._hourly = None
        self._batches, self._letters = [], []
        self._first, self.rows, self._read_to = None, 0, 0
