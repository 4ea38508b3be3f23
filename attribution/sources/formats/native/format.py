"""The native format: records with the names of `schemas/*.avsc`, as JSON, Parquet or Arrow.

| content | how it is read |
|---|---|
| JSON, one object to a line | blocks of lines; a bad line costs only itself |
| JSON array of objects, objects over several lines | cut apart by their braces |
| Parquet, Arrow file, Arrow stream | batches of the columns that a record has |

The fields of a row decide what it is, so that one file may hold several kinds. Other fields are ignored.

| fields | record |
|---|---|
| `local_address`, `remote_address` | flow |
| `address`, `workload` | heartbeat |
| `address`, `owner`, `action` | assignment |
| `hostname`, `server_address` | name binding |
| `policy`, `pool`, `prefix` | policy |
| `rule`, `prefix`, `service` | socket rule |
| `prefix`, `service` | label |

Attributed flows, which this system writes, are flows too. What was attributed to their local side is forgotten, since
it is no observation; what was captured there stays.
"""

from collections.abc import Iterator

from attribution.core.identity import BY_RECORD_ID
from attribution.sources.columnar.opening import is_columnar
from attribution.sources.formats.native.columns import is_native_flows, parquet_flows, parquet_starts, read_columns
from attribution.sources.formats.native.decode import NAME, decode_json, kind_of
from attribution.sources.json.objects import begins_json, first_objects, is_json_lines
from attribution.sources.records.model import Account, Block, ColumnarFormat, FlowHeartbeats, Format, Input, Wanted

__all__ = ["FORMATS", "Native", "is_native_flows", "parquet_flows", "parquet_starts"]


#: What attribution wants of flows.
_WANTS = (
    Wanted(
        name="remote_port, protocol",
        told_by=("flow.remote_port",),
        without="workloads that share an address by port are not told apart",
        get="Write the ports and the protocol of each flow, if the source knows them.",
    ),
)


class Native(ColumnarFormat):
    """The records of this system themselves."""

    name = NAME
    how_to = "native"
    flow_heartbeats: FlowHeartbeats = "interval"
    identity = BY_RECORD_ID
    wants = _WANTS

    def matches(self, head: bytes) -> bool:
        """Whether JSON objects at the start have the fields of a record."""
        return (begins_json(head) or is_json_lines(head)) and any(
            kind_of(found.keys()) for found in first_objects(head)
        )

    def matches_columns(self, columns: frozenset[str]) -> bool:
        """Whether a Parquet or Arrow file with these columns holds a record."""
        return kind_of(columns) is not None

    def read(self, data: Input, account: Account) -> Iterator[Block]:
        """Blocks of the records, of one kind each.

        Raises:
            SourceError: the content is damaged so that it cannot be read on; what came before was yielded.
        """
        if is_columnar(data.head()):
            yield from read_columns(data, account)
        else:
            yield from decode_json(data, account)


FORMATS: tuple[Format, ...] = (Native(),)
