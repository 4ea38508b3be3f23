"""One bucket's memory: an attributor, the ranges that go on, and the log of entries from which both can be made again.

State is a log: a snapshot, and everything that came after it. Appending an entry is all that an element costs. When the
log has outgrown its snapshot, a new snapshot takes its place. A snapshot is an entry with what is known besides rows,
then the rows in entries like those that came. No message between Flink and its Python may be as large as a bucket.

Whoever keeps the log (Flink's keyed state) appends what `take` was given and what `advance` returns, and replaces the
log by what `settle` returns.
"""

from collections.abc import Iterable

import pyarrow as pa

from attribution.config import Settings
from attribution.core.attributor import Attributor
from attribution.core.columnar.arrays import NEVER_AFTER, NEVER_BEFORE
from attribution.core.flow_evidence.reports import reports_of
from attribution.core.gate import Sides
from attribution.core.ownership.range_collector import SEVERAL_SERVICES, RangeCollector
from attribution.schema import FLOW, HEARTBEAT
from attribution.stream.buckets import payload

#: Bytes of the log beyond its snapshot below which a new snapshot is not worth its cost.
_SETTLE_FROM = 1 << 20
#: Bytes of an entry from which on its flows wait as they came; smaller ones are joined.
_FOLD_FROM = 1 << 14


class Bucket:
    """The evidence and the held flows of the addresses of one bucket.

    Args:
        settings: the settings of the rules.
        sides: which side of a flow is attributed here.
        labels: table of `schemas/label.avsc`; configuration, no part of the state.
        log: the entries that the bucket had written, in order; none for a new one.
        now_us: the caller's clock, from which on restored flows have waited.
    """

    def __init__(
        self, settings: Settings, *, sides: Sides, labels: pa.Table, log: Iterable[bytes] = (), now_us: int = 0
    ) -> None:
        self._settings = settings
        self._sides: Sides = sides
        self._collector = RangeCollector(settings)
        self.attributor = Attributor(settings, sides=sides, index_per_batch=True)
        self._snapshot_bytes = 0
        self._logged_bytes = 0
        for entry in log:
            self._replay(entry, now_us)
        # Labels stand in no log; a snapshot holds those that were configured when it was made.
        self.attributor.replace_labels(labels)
        self.attributor.counters.clear()

    def _replay(self, entry: bytes, now_us: int) -> None:
        tag = entry[:1]
        if tag == payload.SNAPSHOT:
            state, collected = payload.unpack_snapshot(entry)
            self.attributor = Attributor.restore(
                state, self._settings, sides=self._sides, index_per_batch=True, arrived_us=now_us
            )
            if not payload.has_reports(entry):
                self.attributor.expect_reports_from(self.attributor.watermark_us)
            self._collector = RangeCollector.of_state(self._settings, collected)
            self._snapshot_bytes, self._logged_bytes = len(entry), 0
        elif tag == payload.WATERMARK:
            self.attributor.skip(payload.unpack_moment(entry))
        elif tag == payload.REPORTS:
            self.take(entry, now_us)
        elif tag == payload.IDENTITIES:
            self.attributor.remember(*payload.unpack_identities(entry))
            self._logged_bytes += len(entry)
        elif tag == payload.POSTPONED:
            self.attributor.postpone(payload.unpack_rows(entry[1:])[1], arrived_us=now_us)
        else:
            self.take(entry, now_us)

    def take(self, entry: bytes, now_us: int) -> None:
        """Observe the evidence, or hold the flows, of an entry of rows or of reports that came at `now_us`."""
        self._logged_bytes += len(entry)
        if entry[:1] == payload.REPORTS:
            self.attributor.observe_reports(payload.unpack_reports(entry))
            return
        kind, batch = payload.unpack_rows(entry)
        if kind == FLOW:
            if self._sides == "remote" and entry[:1] != payload.UNREPORTED:
                self.attributor.observe_reports(reports_of(batch, self._settings))
            folded = payload.PackedFlows(entry, self._settings) if len(entry) >= _FOLD_FROM else batch
            self.attributor.hold(folded, arrived_us=now_us)
        else:
            self.attributor.observe(kind, batch)

    def advance(self, watermark_us: int) -> tuple[list[pa.RecordBatch], list[bytes]]:
        """As `Attributor.advance`, with the entries that the log needs for it.

        Nothing is forgotten: that is for `settle`, which first notes what ranges were.
        """
        released = self.attributor.advance(watermark_us, oldest_us=NEVER_BEFORE)
        if not released.attributed and not released.postponed and not released.repeated:
            return [], []
        # What was due is dropped when the log is read again, and so are flows that were put off: but for these.
        entries = [payload.pack_watermark(watermark_us)]
        for flows in released.postponed:
            entries += [payload.POSTPONED + entry for entry in payload.pack_pieces(FLOW, flows)]
        self._logged_bytes += sum(len(entry) for entry in entries)
        return released.attributed, entries

    @property
    def log_bytes(self) -> int:
        """Size of the log."""
        return self._snapshot_bytes + self._logged_bytes

    @property
    def outgrown(self) -> bool:
        """Whether the log has become so long that a snapshot in its place pays."""
        return self._logged_bytes > max(_SETTLE_FROM, self._snapshot_bytes)

    def settle(self) -> tuple[list[bytes], pa.Table | None]:
        """Compact the evidence; return the entries that take the place of the log, and the ranges that are over.

        The ranges are a table of `schemas/ownership_range.avsc`, each given out once; those of the local side's
        evidence are none, because the same evidence serves the remote side. A range is over `hold` and `max_gap` after
        its end: heartbeats that last up to `hold` are known then, which are reported when they end.
        """
        attributor, settings = self.attributor, self._settings
        oldest_us = attributor.watermark_us - settings.retention
        ranges = None
        if self._sides == "remote":
            last = attributor.watermark_us >= NEVER_AFTER
            ranges = self._collector.collect(
                attributor.ownership_ranges(several=SEVERAL_SERVICES),
                begun=attributor.ownership_ranges(several=SEVERAL_SERVICES, begun_by_us=oldest_us),
                known_to=NEVER_AFTER if last else attributor.watermark_us - settings.hold,
            )
        attributor.compact(oldest_us)
        entries = [payload.pack_snapshot(attributor.snapshot(rows=False), *self._collector.state)]
        for batch in attributor.known_heartbeats.combine_chunks().to_batches():
            entries += payload.pack_pieces(HEARTBEAT, batch)
        entries += payload.pack_identities(*attributor.identities)
        for batch in attributor.known_reports.combine_chunks().to_batches():
            entries += payload.pack_reports(batch)
        for flows in attributor.held_flows:
            if isinstance(flows, payload.PackedFlows):
                entries.append(payload.unreported(flows.entry))
            else:
                entries += map(payload.unreported, payload.pack_pieces(FLOW, flows))
        self._snapshot_bytes, self._logged_bytes = sum(len(entry) for entry in entries), 0
        return entries, ranges
