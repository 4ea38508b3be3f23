"""The partitions that one writer has, and when the files of each are finished."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from attribution.stream.kafka.client import PartitionId
from attribution.stream.lake_writer.offset_files import PartitionFiles


@dataclass
class Partition:
    """One partition of this writer.

    Attributes:
        id: topic and number.
        kind: the record that its topic is for.
        files: its files; None while another process has them.
        opened_s: since when, in monotonic time, `finish` has something to write: a row, or how far was read; else None.
        ended: whether everything in it was read.
    """

    id: PartitionId
    kind: str
    files: PartitionFiles | None = None
    opened_s: float | None = None
    ended: bool = False


@dataclass(frozen=True)
class Finished:
    """Files of a partition that readers see from now on, and offsets without rows.

    Attributes:
        id: topic and number of the partition.
        rows: rows in the files.
        files: number of the files.
        position: the first offset that is neither in a file nor known to hold no row.
    """

    id: PartitionId
    rows: int
    files: int
    position: int


class Partitions:
    """The partitions of one writer.

    Args:
        lake: folder of the lake.
        flush_s: seconds after which what is open becomes visible.
        flush_rows: rows of a partition that become visible earlier.
    """

    def __init__(self, lake: Path, *, flush_s: float, flush_rows: int) -> None:
        self._lake, self._flush_s, self._flush_rows = lake, flush_s, flush_rows
        self._partitions: dict[PartitionId, Partition] = {}

    def __iter__(self) -> Iterator[Partition]:
        return iter(self._partitions.values())

    def get(self, partition: PartitionId) -> Partition | None:
        """One of them; None where this writer does not have it."""
        return self._partitions.get(partition)

    @property
    def ended(self) -> bool:
        """Whether everything in all of them was read; there is one at least."""
        return bool(self._partitions) and all(partition.ended for partition in self)

    def add(self, partition: PartitionId, kind: str) -> Partition:
        """Note that this writer has a partition; `lock` gets its files."""
        added = self._partitions[partition] = Partition(partition, kind)
        return added

    def lock(self, partition: Partition) -> PartitionFiles | None:
        """Get the files of a partition; None where another process has them.

        Raises:
            OSError: the lake cannot be read or written.
        """
        partition.files = PartitionFiles.take(self._lake, partition.kind, *partition.id)
        return partition.files

    def finish_large(self, added: Partition) -> Iterator[Finished]:
        """Finish a partition that has many rows, and the largest where all together have, which bounds memory.

        Args:
            added: the partition to which a row was added.

        Raises:
            OSError: a file cannot be written.
        """
        rows = {one.id: one.files.rows for one in self if one.files is not None}
        if rows[added.id] >= self._flush_rows:
            yield from self.finish(added)
        elif sum(rows.values()) >= 2 * self._flush_rows:
            yield from self.finish(self._partitions[max(rows, key=rows.__getitem__)])

    def finish_due(self, now_s: float) -> Iterator[Finished]:
        """Finish the partitions whose rows have been open for long enough at a monotonic time.

        Raises:
            OSError: a file cannot be written.
        """
        for partition in self:
            if partition.opened_s is not None and now_s - partition.opened_s >= self._flush_s:
                yield from self.finish(partition)

    def finish_all(self) -> Iterator[Finished]:
        """Finish all partitions.

        Raises:
            OSError: a file cannot be written.
        """
        for partition in self:
            yield from self.finish(partition)

    def finish(self, partition: Partition) -> Iterator[Finished]:
        """Let the files of a partition appear; nothing where nothing was read, or another process has its files.

        Raises:
            OSError: a file cannot be written.
        """
        if partition.files is None:
            return
        rows, before = partition.files.rows, partition.files.position
        files = partition.files.finish()
        partition.opened_s = None
        if files or partition.files.position != before:
            yield Finished(partition.id, rows, files, partition.files.position or 0)

    def abandon(self) -> None:
        """Drop what is in no file yet, of all partitions; it must be read again."""
        for partition in self:
            partition.opened_s, partition.ended = None, False
            if partition.files is not None:
                partition.files.abandon()

    def remove(self, partition: Partition) -> None:
        """Let another process have a partition."""
        if partition.files is not None:
            partition.files.release()
        del self._partitions[partition.id]

    def clear(self) -> None:
        """Let other processes have all partitions."""
        for partition in list(self):
            self.remove(partition)
