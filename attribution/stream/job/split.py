"""From the records of one message to the entries that the buckets take."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.flow_evidence.ends import remote_end
from attribution.core.flow_evidence.flow_heartbeats import FlowEvidence
from attribution.core.flow_evidence.reports import reports_of
from attribution.records import BY_NAME
from attribution.schema import FLOW, HEARTBEAT, NAME_BINDING
from attribution.sources.records.model import FlowHeartbeats
from attribution.stream.buckets.partitioning import by_bucket
from attribution.stream.buckets.payload import pack_pieces, pack_reports, unreported
from attribution.stream.regions.border import Border

#: Which of the two attributing operators an entry is for.
Stage = Literal["local", "remote"]


@dataclass(frozen=True)
class Entry:
    """Rows on their way to a bucket."""

    stage: Stage
    bucket: int
    content: bytes


class Splitter:
    """Splits batches by bucket.

    - A flow whose local workload is known goes to the bucket of its remote address. As a heartbeat it goes to the
      bucket of its local address, and as a report for its far end.
    - Any other flow goes to the bucket of its local address first, and from there, half attributed, to the bucket of
      its remote address. So does a flow whose local address is in the pool space: more is said about such an address
      than its workload.
    - Name bindings go to the bucket of the server's address. In the pool space, either side may be the server.
    - Configuration goes to every bucket.

    Args:
        settings: the settings of the rules.
        buckets: how many there are; part of the state's layout.
        border: the regions, where there are several: a flow is no heartbeat of another region's address.
    """

    def __init__(self, settings: Settings, *, buckets: int, border: Border | None = None) -> None:
        self._settings, self._buckets, self._border = settings, buckets, border
        self._flows = FlowEvidence(settings)
        self._pools = PrefixTable.of_prefixes(settings.pool_prefixes)

    def split(self, kind: str, batch: pa.RecordBatch, span: FlowHeartbeats = "interval") -> Iterator[Entry]:
        """The entries of a canonical record batch.

        Args:
            kind: record name.
            batch: the rows.
            span: what flows are as heartbeats, as `flow_heartbeats` takes it.
        """
        if kind != FLOW:
            yield from self._evidence(kind, batch)
            return
        known = batch.column("local_workload").is_valid()
        if self._pools:
            known = pc.and_(known, pa.array(~self._pools.contains(batch.column("local_address"))))
        for made in (self._flows.heartbeats(batch, span), self._flows.claims(batch, span)):
            heartbeats = made if self._border is None else self._border.own(HEARTBEAT, made)[0]
            yield from self._evidence(HEARTBEAT, heartbeats)
        # The end of a connection that timed out does not show that two reports are of one connection.
        reported = span == "interval"
        if reported:
            yield from self._reports(batch)
        if pc.all(known, min_count=0).as_py():
            yield from self.halves(batch, reported=reported)
            return
        yield from self.halves(batch.filter(known), reported=reported)
        for bucket, rows in by_bucket(batch.filter(pc.invert(known)), "local_address", self._buckets):
            yield from (Entry("local", bucket, content) for content in pack_pieces(FLOW, rows))

    def halves(self, flows: pa.RecordBatch, *, reported: bool = True) -> Iterator[Entry]:
        """The entries of flows whose local side is attributed, or was captured; perhaps they are no reports."""
        for bucket, rows in by_bucket(flows, remote_end(flows)[0], self._buckets):
            for content in pack_pieces(FLOW, rows):
                yield Entry("remote", bucket, content if reported else unreported(content))

    def _reports(self, flows: pa.RecordBatch) -> Iterator[Entry]:
        """The reports of connections, for those who ask about their local ends."""
        reports = reports_of(flows, self._settings)
        if self._border is not None:
            reports, _ = self._border.own(HEARTBEAT, reports)
        for bucket, rows in by_bucket(reports, reports.column("address"), self._buckets):
            yield from (Entry("remote", bucket, content) for content in pack_reports(rows))

    def _evidence(self, kind: str, batch: pa.RecordBatch) -> Iterator[Entry]:
        asked_by = BY_NAME[kind].asked_by
        if asked_by is None:
            for content in pack_pieces(kind, batch):
                for bucket in range(self._buckets):
                    yield Entry("remote", bucket, content)
                    yield Entry("local", bucket, content)
            return
        for bucket, rows in by_bucket(batch, asked_by, self._buckets):
            for content in pack_pieces(kind, rows):
                yield Entry("remote", bucket, content)
                if kind != NAME_BINDING:
                    yield Entry("local", bucket, content)
        if kind == NAME_BINDING and self._pools:
            in_pools = batch.filter(pa.array(self._pools.contains(batch.column("server_address"))))
            for bucket, rows in by_bucket(in_pools, "server_address", self._buckets):
                yield from (Entry("local", bucket, content) for content in pack_pieces(kind, rows))
