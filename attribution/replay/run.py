"""Replay: a history of flows and evidence to a lake of attributed flows.

Evidence may stand anywhere in the input, even in the flows themselves, so there are two passes. The first pass collects
the evidence and puts the flows aside; the second pass attributes the flows on all cores.

If the evidence fits into memory, flows come in any order. If it does not, the history is cut into slabs of time, of
which one is in memory at a time. So memory is bounded by the busiest hours and not by the length of the history.
"""

import time
from pathlib import Path

from attribution import __version__
from attribution.config import Settings
from attribution.lake.lake import StagedLake, writing
from attribution.replay.attribute import AttributionPass
from attribution.replay.collect import Collection
from attribution.replay.span import Span
from attribution.replay.summary import Summary
from attribution.replay.task import Limits, Report, Task
from attribution.schema import POLICY
from attribution.sources.inputs import Inputs
from attribution.sources.pool_space import with_pools_of


def replay(
    inputs: Inputs,
    out: Path,
    *,
    settings: Settings | None = None,
    limits: Limits | None = None,
    flows_are_heartbeats: bool = True,
    span: Span | None = None,
    progress: Report | None = None,
) -> Summary:
    """Attribute the flows of `inputs` and put the lake `out` in its place, whole or not at all.

    Args:
        inputs: where the input stands.
        out: folder of the lake; what an earlier run wrote there is replaced.
        settings: settings of the rules; the defaults suit reports once a minute.
        limits: what the run may use.
        flows_are_heartbeats: whether the workloads that flow logs name are evidence; not of those given as heartbeats.
        span: the flows that are attributed; those of other times are evidence all the same. By default all.
        progress: called with the phase ("reading", "attributing"), the rows done in it so far, and the share of it that
            is done. The share is of the bytes to read, or of the flows to attribute; None if standard input has no
            known end.

    Raises:
        SourceError: a source cannot be read at all.
        RejectLimitError: too many rows were rejected.
        LakeError: the lake cannot be written; nothing of it is left.
    """
    settings = with_pools_of(
        inputs.of(POLICY), settings or Settings(), format=inputs.format, mapping=inputs.mapping_of(POLICY)
    )
    began_s, span = time.monotonic(), span or Span()
    with StagedLake(out) as staged, writing(out):
        task = Task(
            inputs=inputs,
            folder=staged.folder,
            settings=settings,
            limits=limits or Limits(),
            flows_are_heartbeats=flows_are_heartbeats,
            span=span,
            report=progress or (lambda _phase, _rows, _share: None),
        )
        with Collection(task) as collection:
            collection.collect()
            attributed = AttributionPass(task, collection).run()
        summary = Summary(
            lake=out,
            tally=attributed.tally,
            ledger=collection.ledger,
            ranges=attributed.ranges,
            seconds=time.monotonic() - began_s,
            slabs=attributed.slabs,
            heard_us=collection.store.heard_us,
            span=span,
        )
        staged.commit({"written_by": __version__, "settings": settings.to_dict(), "summary": summary.to_dict()})
    return summary
