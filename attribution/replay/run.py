"""Replay: a history of flows and evidence to a lake of attributed flows.

Evidence may stand anywhere in the input, even in the flows themselves, so there are two passes: the first collects the
evidence and puts the flows aside, the second attributes them on all cores. Where the evidence fits into memory, flows
come in any order. Where it does not, it is cut into slabs of time, one after the other in memory, so that memory is
bounded by the busiest hours and not by the length of the history.
"""

import time
from pathlib import Path

from attribution import __version__
from attribution.config import Settings
from attribution.lake.lake import StagedLake, writing
from attribution.replay.attribute import AttributionPass
from attribution.replay.collect import Collection, Report
from attribution.replay.limits import Limits
from attribution.replay.summary import Summary
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
    progress: Report | None = None,
) -> Summary:
    """Attribute the flows of `inputs` and put the lake `out` in its place, whole or not at all.

    Args:
        inputs: where the input stands.
        out: folder of the lake; what an earlier run wrote there is replaced.
        settings: settings of the rules; the defaults suit reports once a minute.
        limits: what the run may use.
        flows_are_heartbeats: whether the workloads that flow logs name are evidence; not of those given as heartbeats.
        progress: called with the phase ("reading", "attributing"), the rows done in it so far, and the share of it that
            is done: of the bytes to read, of the flows to attribute; None where standard input has no known end.

    Raises:
        SourceError: a source cannot be read at all.
        RejectLimitError: too many rows were rejected.
        LakeError: the lake cannot be written; nothing of it is left.
    """
    settings = with_pools_of(inputs.of(POLICY), settings or Settings(), format=inputs.format)
    limits = limits or Limits()
    report = progress or (lambda _phase, _rows, _share: None)
    began = time.monotonic()
    with StagedLake(out) as staged, writing(out):
        collection = Collection(inputs, staged.folder, settings, limits, flows_are_heartbeats=flows_are_heartbeats)
        try:
            collection.collect(report)
            attributed = AttributionPass(collection, staged.folder, settings, limits, report).run()
        finally:
            collection.close()
        summary = Summary(
            lake=out,
            tally=attributed.tally,
            ledger=collection.ledger,
            ranges=attributed.ranges,
            seconds=time.monotonic() - began,
            slabs=attributed.slabs,
        )
        staged.commit({"written_by": __version__, "settings": settings.to_dict(), "summary": summary.to_dict()})
    return summary
