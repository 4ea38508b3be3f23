"""NetObserv flows as JSON lines.

NetObserv reports traffic once per interface and once per node that sees it. Each flow is counted once, as the first
place that reports it has it (`records.deduplication`; skipped as `duplicate`), but every node's own side of it is
a heartbeat. A record counts packets one way; the way back is a record of its own.

The local side is the one on the agent's node. Its pod is named `cluster/namespace/name`, for NetObserv knows no pod
UID. Only StatefulSets and bare pods reuse a name, and a person who asks means the same thing by it. The network is the
cluster, or the user-defined or secondary network in it: `cluster/namespace/network`.

| record | is |
|---|---|
| a flow log, or any record without `_RecordType` | a flow, and a heartbeat over its packets |
| `endConnection` | a flow without a known workload, and a heartbeat at its last packet |
| `newConnection`, `heartbeat` | a heartbeat at its last packet; else skipped (`connection_update`): the end counts it |
| a frame that is not IP, as ARP | skipped as `not_ip` |
"""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from attribution.schema import FLOW, HEARTBEAT
from attribution.sources.formats.netobserv.records import FIELDS, LISTS, Reports, reports
from attribution.sources.json.lines import JsonLines, Piece, first_object
from attribution.sources.records.deduplication import Repeats
from attribution.sources.records.identity import BY_NODE
from attribution.sources.records.model import Account, Block, Format, Input, Ledger, Wanted
from attribution.sources.records.set_aside import bad_lines, bad_times

_BLOCK_BYTES = 4 << 20


#: Why a sound row carries no record.
_SKIPS = {
    "duplicate": "The same traffic, reported by another interface or node, or exported twice.",
    "connection_update": "A connection's start or heartbeat: what it counts is counted again at its end.",
    "not_ip": "A frame that is neither IPv4 nor IPv6.",
}


#: What attribution wants of NetObserv's records.
_WANTS = (
    Wanted(
        name="SrcK8S_Name, DstK8S_Name, SrcK8S_HostIP, DstK8S_HostIP, AgentIP",
        told_by=("flow.local_workload", HEARTBEAT),
        without="no record shows which pods are of the agent's own node, so no record is evidence",
        get="Export the flows after NetObserv has added what Kubernetes knows (its `loki` or `kafka` exporter).",
        needed=True,
    ),
    Wanted(
        name="K8S_ClusterName",
        told_by=("flow.local_network",),
        without="clusters that use one address are not told apart",
        get="Set the name of the cluster in NetObserv, or say it with `--network NAME`.",
    ),
    Wanted(
        name="SrcPort, DstPort, Proto",
        told_by=("flow.remote_port",),
        without="pods that share the address of a node are not told apart",
        get="Keep these fields in the export.",
    ),
)


class NetObserv(Format):
    """NetObserv flows."""

    name = "netobserv"
    how_to = "netobserv"
    skips = _SKIPS
    lead = FLOW
    wants = _WANTS
    #: What NetObserv makes a label in Loki differs by its version and settings.
    labels = frozenset(FIELDS)
    #: The address of a node is unique in its cluster only.
    identity = replace(BY_NODE, also=(*BY_NODE.also, "local_network"))

    def matches(self, head: bytes) -> bool:
        """Whether this is a line with NetObserv's fields."""
        row = first_object(head)
        if row is None or "TimeFlowEndMs" not in row or "SamplerAddress" in row:
            return False
        return any(key in row for key in ("AgentIP", "Etype", "IfDirection", "FlowDirection"))

    def read(self, data: Input, account: Account) -> Iterator[Block]:
        """Flows, and the heartbeats that they are not."""
        for piece, found in _reports(data, account):
            if len(found.flow_row):
                yield Block(FLOW, found.flows, data.name, piece.lines[found.flow_row])
            if len(found.heartbeat_row):
                lines = piece.lines[found.heartbeat_row]
                yield Block(HEARTBEAT, found.heartbeats, data.name, lines, shown_by_flows=True)


def claims(data: Input, *, ledger: Ledger | None = None) -> Iterator[pa.Table]:
    """What NetObserv itself says of the remote side of each flow that `read` yields, to compare an attribution with.

    Args:
        data: as for `read`.
        ledger: of the run, where several inputs make it: it remembers the flows already seen.

    Yields:
        Tables with the raw columns of the flows, `line`, and `remote_type` (Pod, Node, Service or null),
        `remote_workload` (null for a Service) and `remote_service`. NetObserv takes them from its inventory of the
        cluster at the time of processing, so they are no truth, but an independent witness.
    """
    for piece, found in _reports(data, (ledger or Ledger()).of(FORMATS[0])):
        line = pa.array(piece.lines[found.flow_row])
        yield pa.table({"line": line, **found.flows, **found.claims})


def _reports(data: Input, account: Account) -> Iterator[tuple[Piece, Reports]]:
    repeats = account.kept(Repeats)
    set_aside = bad_lines(account, data.name, FLOW)
    reader = JsonLines({name: (name,) for name in FIELDS}, nested=LISTS)
    for first_line, block in data.lines(_BLOCK_BYTES):
        for piece in reader.read(block, first_line, set_aside):
            found = reports(piece.columns, repeats, data.network)
            for reason, count in found.skipped.items():
                account.skip(reason, count)
            bad_times(piece.columns, ("TimeFlowStartMs", "TimeFlowEndMs"), found.bad_time, piece.lines, set_aside)
            yield piece, found


FORMATS: tuple[Format, ...] = (NetObserv(),)
