"""Cilium Hubble events: `hubble observe -o json` (or `jsonpb`), and the files of Hubble's exporter.

| event | is |
|---|---|
| a packet or request that passed | a flow at that instant; a heartbeat of the pod on the observing node |
| its reply | heartbeats of the pods on the observing node only: skipped as `reply` |
| a DNS answer | name bindings |
| what was dropped | skipped as `dropped`: nothing reached anybody, and a source may be forged |
| events of the agent, of lost events, of sockets | skipped by their own reasons |

Hubble logs single events, some for each packet that opens or closes a connection and some at every point that it
passes. Its rows tell who talks to whom and when, not how often: an edge's number of flows is a number of events.

An exporter that aggregates (`fieldAggregate`) writes one record for an interval: the time of its first event, with the
fields of that event, and how many events there were (`flow_count`). So the record proves that first moment and no more.
It is a window, so that the records of two nodes, whose intervals begin at different times, count once.

A field mask of the exporter (`fieldMask`) may leave out any field. Time and node then come from the envelope, and
replies are told by other fields. Endpoint IDs are told by nothing else: without them no pod is named.

The pod of an endpoint goes by its UID (`pod_uid`), as in lists and audit events of Kubernetes. If an event tells no
UID, the pod goes by its name: `cluster/namespace/pod`. Endpoint IDs are no help: they are unique on one node only, so
that one pod would have another name as soon as the stream misses them.

The cluster is the network: `cluster_name` of each end, and of the observing node that in its name, `cluster/node`.
`default`, the name of a cluster without a name, is none.
"""

from collections.abc import Iterator

import numpy as np

from attribution.core.identity import BY_RECORD_ID
from attribution.schema import FLOW, HEARTBEAT, NAME_BINDING
from attribution.sources.formats.hubble.records import LISTS, TEXTS, events, fields
from attribution.sources.formats.hubble.wants import WANTS
from attribution.sources.json.lines import JsonLines, first_object, objects_of_lines
from attribution.sources.records.model import Account, Block, Format, Input
from attribution.sources.records.set_aside import bad_lines, bad_times

_BLOCK_BYTES = 4 << 20
_ENVELOPE = ("flow", "lost_events", "node_status", "agent_event", "debug_event")


#: Why a sound row carries no record.
_SKIPS = {
    "reply": "A packet back: the flow is counted the way in which it was opened. Its pods are heartbeats.",
    "dropped": "Cilium let nothing through, or failed: nothing reached anybody, and a source may be forged.",
    "no_verdict": "An event that neither passed nor was dropped, as a trace, or whose verdict is masked.",
    "socket_event": "A socket's translation of a service address, not a packet.",
    "no_address": "A packet without IP addresses, or whose addresses are masked or aggregated away.",
    "no_answer": "A DNS answer without addresses.",
    "other_event": "A message of the agent, of the node's state, or of events that were lost.",
}


class Hubble(Format):
    """Hubble events as JSON lines, each wrapped as `{"flow": …}` or bare."""

    name = "hubble"
    how_to = "hubble"
    skips = _SKIPS
    lead = FLOW
    identity = BY_RECORD_ID
    wants = WANTS

    def matches(self, head: bytes) -> bool:
        """Whether the first line is an answer of Hubble, or a flow of Hubble's."""
        row = first_object(head)
        if row is None:
            return False
        if any(isinstance(row.get(key), dict) for key in _ENVELOPE):
            flow = row.get("flow")
            return flow is None or (isinstance(flow, dict) and bool({"verdict", "IP", "Type"} & set(flow)))
        return isinstance(row.get("IP"), dict) and bool({"verdict", "traffic_direction", "Type"} & set(row))

    def read(self, data: Input, account: Account) -> Iterator[Block]:
        """Flows, heartbeats and name bindings of the events."""
        set_aside = bad_lines(account, data.name, FLOW)
        wrapped = any(key in row for row in objects_of_lines(data.head()) for key in _ENVELOPE)
        reader = JsonLines(fields(wrapped=wrapped), nested=LISTS, texts=TEXTS)
        for first_line, block in data.lines(_BLOCK_BYTES):
            for piece in reader.read(block, first_line, set_aside):
                found = events(piece.columns, data.network)
                for reason, count in found.skipped.items():
                    account.skip(reason, count)
                for row in np.flatnonzero(found.unknown).tolist():
                    set_aside(int(piece.lines[row]), b"neither a flow nor another event of Hubble", "unknown_kind")
                bad_times(piece.columns, ("time", "envelope_time"), found.bad_time, piece.lines, set_aside)
                for kind, columns, rows in (
                    (FLOW, found.flows, found.flow_row),
                    (HEARTBEAT, found.heartbeats, found.heartbeat_row),
                    (NAME_BINDING, found.names, found.name_row),
                ):
                    if len(rows):
                        yield Block(kind, columns, data.name, piece.lines[rows], shown_by_flows=kind == HEARTBEAT)


FORMATS: tuple[Format, ...] = (Hubble(),)
