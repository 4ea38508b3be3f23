"""What the routers of a fleet report as JSON lines of goflow2's version 2, and the truth as their reader sees it."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import SECOND
from attribution.errors import ConfigError
from attribution.testbed.fleet.simulation import Simulation

#: The last packet of a window came so long before the next window, microseconds.
_BEFORE_NEXT = 1_000


def check_goflow2(simulation: Simulation) -> None:
    """Refuse what no router reports.

    Raises:
        ConfigError: the fleet has no routers, or several networks.
    """
    if not simulation.scenario.routers or simulation.scenario.networks > 1:
        raise ConfigError(
            "cannot write these flows as goflow2's: only routers write such records, and here they know no networks; "
            "set routers=2 and networks=1, or choose --flow-format parquet"
        )


def of_routers(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows that routers report, of flows or of their truth, with the end of each window before the next one."""
    for batch in batches:
        rows = batch.filter(pc.starts_with(batch.column("observer"), "router-"))
        start, end = (rows.column(name).cast(pa.int64()) for name in ("start", "end"))
        last = pc.if_else(pc.greater(pc.subtract(end, start), SECOND), pc.subtract(end, _BEFORE_NEXT), end)
        at = rows.schema.get_field_index("end")
        yield rows.set_column(at, rows.schema.field(at), last.cast(rows.schema.field(at).type))


def goflow2_lines(batch: pa.RecordBatch) -> pa.Array:
    """One line for each flow of a router."""
    start, end, received = (batch.column(name).cast(pa.int64()) for name in ("start", "end", "received"))
    exported = pc.equal(batch.column("basis"), "export")
    sampled = pc.equal(start, end)
    values = {
        "type": _text(pc.if_else(sampled, "SFLOW_5", "IPFIX")),
        # A collector has a sample at once, and other records within a second if nothing else is simulated.
        "time_received_ns": _nanoseconds(pc.coalesce(received, pc.if_else(sampled, end, pc.add(end, SECOND)))),
        "sampling_rate": "1",
        "sampler_address": _text(batch.column("observer")),
        "time_flow_start_ns": _nanoseconds(start),
        # An exporter without times shows the second of its export for both.
        "time_flow_end_ns": _nanoseconds(pc.if_else(exported, start, end)),
        "bytes": batch.column("bytes_sent").cast(pa.string()),
        "packets": batch.column("packets_sent").cast(pa.string()),
        "src_addr": _text(batch.column("local_address")),
        "dst_addr": _text(batch.column("remote_address")),
        "etype": _text(pc.if_else(pc.match_substring(batch.column("local_address"), ":"), "IPv6", "IPv4")),
        "proto": batch.column("protocol").cast(pa.string()),
        "src_port": batch.column("local_port").cast(pa.string()),
        "dst_port": batch.column("remote_port").cast(pa.string()),
    }
    parts = [part for name, value in values.items() for part in (f',"{name}":', value)]
    return pc.binary_join_element_wise("{" + str(parts[0])[1:], *parts[1:], "}", "")


def _text(column: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', column, '"', "")


def _nanoseconds(microseconds: pa.Array) -> pa.Array:
    return pc.multiply(microseconds, 1000).cast(pa.string())
