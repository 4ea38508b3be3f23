"""What attribution wants of Hubble's events; a field mask of the exporter often leaves it out."""

from attribution.schema import FLOW
from attribution.sources.records.wanted import Wanted

WANTS = (
    Wanted(
        name="time",
        told_by=(FLOW,),
        among="not_a_time",
        without="no event says when it was, so all are rejected",
        get="Add `time` to the field mask of the exporter (`fieldMask`), or export without a mask.",
        needed=True,
    ),
    Wanted(
        name="verdict",
        told_by=(FLOW, "reply", "dropped"),
        among="no_verdict",
        without="no event shows that it reached anybody, so all are left out",
        get="Add `verdict` to the field mask of the exporter (`fieldMask`).",
        needed=True,
    ),
    Wanted(
        name="IP",
        told_by=(FLOW, "reply"),
        among="no_address",
        without="no event has an address, so all are left out",
        get="Add `IP` to the field mask of the exporter (`fieldMask`); if it aggregates, to `fieldAggregate` as well.",
        needed=True,
    ),
    Wanted(
        name="source.ID, destination.ID",
        told_by=("flow.local_workload", "heartbeat"),
        without="no event shows which pods are of the observing node, so no event is evidence, and no pod is named",
        get="Add `source.ID` and `destination.ID` to the field mask of the exporter (`fieldMask`), beside `pod_name` "
        "and `namespace` of both. Or export without a mask.",
        needed=True,
    ),
    Wanted(
        name="l4",
        told_by=("flow.remote_port",),
        without="pods that share the address of a node are not told apart",
        get="Add `l4` to the field mask of the exporter (`fieldMask`).",
    ),
    Wanted(
        name="uuid",
        told_by=("flow.record_id",),
        without="an event that stands in two files counts twice",
        get="Add `uuid` to the field mask of the exporter (`fieldMask`).",
    ),
)
