"""The native format: records with the names of `schemas/*.avsc`, as JSON, Parquet or Arrow.

| content | how it is read |
|---|---|
| JSON, one object to a line | blocks of lines; a bad line costs only itself |
| JSON array of objects, objects over several lines | cut apart by their braces |
| Parquet, Arrow file, Arrow stream | batches of the columns that a record has |

The fields of a row decide what it is, so that one file may hold several kinds: `local_address` and `remote_address`
make a flow, `address` and `workload` a heartbeat, `address`, `owner` and `action` an assignment, `hostname` and
`server_address` a name binding, `policy`, `pool` and `prefix` a policy, `rule`, `prefix` and `service` a socket rule,
`prefix` and `service` alone a label. Fields that a record does not have are ignored.

Attributed flows, which this system writes, are flows too. What was attributed to their local side is forgotten, since
it is no observation; what was captured there stays.
"""

from collections.abc import Iterator

from attribution.core.columnar.dictionaries import one_array
from attribution.core.columnar.types import Int64
from attribution.sources.formats.native.columns import (
    ARROW_FILE_MAGIC,
    ARROW_STREAM_START,
    PARQUET_MAGIC,
    arrow_columns,
    is_native_flows,
    parquet_heartbeats,
    parquet_starts,
    read_arrow,
    read_parquet,
)
from attribution.sources.formats.native.kinds import FIELDS, blocks, kind_of
from attribution.sources.json.lines import JsonLines
from attribution.sources.json.objects import first_objects, is_json_lines, object_lines
from attribution.sources.records.model import Block, ColumnarFormat, FlowHeartbeats, Format, Input, Ledger
from attribution.sources.records.set_aside import bad_lines

__all__ = ["FORMATS", "Native", "is_native_flows", "parquet_heartbeats", "parquet_starts", "read_json"]


_BLOCK_BYTES = 4 << 20


class Native(ColumnarFormat):
    """The records of this system themselves."""

    name = "native"
    flow_heartbeats: FlowHeartbeats = "interval"

    def matches(self, head: bytes) -> bool:
        """Whether JSON objects or Arrow columns at the start have the fields of a record."""
        if head.startswith((ARROW_FILE_MAGIC, ARROW_STREAM_START)):
            return kind_of(arrow_columns(head)) is not None
        return b"{" in head and any(kind_of(found.keys()) for found in first_objects(head))

    def matches_columns(self, columns: frozenset[str]) -> bool:
        """Whether a Parquet file with these columns holds a record."""
        return kind_of(columns) is not None

    def read(self, data: Input, ledger: Ledger) -> Iterator[Block]:
        """Blocks of the records, of one kind each.

        Raises:
            SourceError: the content is damaged so that it cannot be read on; what came before was yielded.
        """
        head = data.head()
        if head.startswith(PARQUET_MAGIC):
            yield from read_parquet(data, ledger, self.name)
        elif head.startswith((ARROW_FILE_MAGIC, ARROW_STREAM_START)):
            yield from read_arrow(data, ledger, self.name)
        else:
            yield from read_json(data, ledger, self.name)


def read_json(data: Input, ledger: Ledger, name: str) -> Iterator[Block]:
    """Blocks of JSON lines, of a JSON array of objects, or of objects that span lines.

    Raises:
        SourceError: it cannot be cut into objects; what came before was yielded.
    """
    set_aside = bad_lines(ledger, name, data.name, "row")
    reader = JsonLines({field: (field,) for field in FIELDS}, nested=FIELDS, apart=True, any_order=True)
    if is_json_lines(data.head()):
        for first_line, block in data.lines(_BLOCK_BYTES):
            for piece in reader.read(block, first_line, set_aside):
                columns = {field: one_array(column) for field, column in piece.columns.items()}
                yield from blocks(columns, piece.lines, data.name, ledger, name)
        return
    for numbers, block in object_lines(data, set_aside):

        def set_object_aside(place: int, content: bytes, reason: str, numbers: Int64 = numbers) -> None:
            set_aside(int(numbers[place - 1]), content, reason)

        for piece in reader.read(block, 1, set_object_aside):
            columns = {field: one_array(column) for field, column in piece.columns.items()}
            yield from blocks(columns, numbers[piece.lines - 1], data.name, ledger, name)


FORMATS: tuple[Format, ...] = (Native(),)
