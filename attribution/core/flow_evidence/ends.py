"""The ends of flows as the wire shows them: "Both ends of one connection" in `docs/design.md`."""

import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.types import Column

_WIRE = "remote_wire_address"


def shows_remote_wire(flows: pa.RecordBatch) -> bool:
    """Whether any flow has a remote end of its own on the wire."""
    return _WIRE in flows.schema.names and flows.column(_WIRE).null_count < flows.num_rows


def remote_end(flows: pa.RecordBatch) -> tuple[Column, Column]:
    """Address and port of the remote end of each flow, as the wire shows it."""
    address, port = flows.column("remote_address"), flows.column("remote_port")
    if not shows_remote_wire(flows):
        return address, port
    wire, known = decoded(flows.column(_WIRE)), flows.column(_WIRE).is_valid()
    return pc.coalesce(wire, decoded(address)), pc.if_else(known, flows.column("remote_wire_port"), port)


def at_remote_ends(flows: pa.RecordBatch) -> pa.RecordBatch:
    """The flows with the remote end that the wire shows as their remote address and port."""
    if not shows_remote_wire(flows):
        return flows
    columns = dict(zip(flows.schema.names, flows.columns, strict=True))
    columns["remote_address"], columns["remote_port"] = remote_end(flows)
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
