"""The reports that an attributor knows: those of ends that flows which are still to come may ask about."""

import pyarrow as pa

from attribution.config import Microseconds, Settings
from attribution.core.columnar.arrays import NEVER_AFTER, NEVER_BEFORE, is_among, microseconds
from attribution.core.columnar.types import UInt64
from attribution.core.flow_evidence.both_ends import OPEN, Reports, asked_hashes, is_open, settled
from attribution.core.flow_evidence.reports import SCHEMA

#: Batches from which on they are joined.
_MANY = 64


class ReportMemory:
    """A set of reports that grows and forgets.

    A flow that is asked at its time needs the reports that ended up to `hold` before its own end, or after. So a report
    is of use until the watermark is `hold` past that, or `assignment_hold` if that is longer.

    Args:
        settings: the settings of the rules.

    Attributes:
        complete_from_us: the end (µs) from which on all reports were ever known.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._memory_us = settings.hold + max(settings.hold, settings.assignment_hold)
        self.complete_from_us: Microseconds = NEVER_BEFORE
        self._batches: list[pa.RecordBatch] = []

    def add(self, reports: pa.RecordBatch) -> None:
        """Remember reports."""
        if reports.num_rows:
            self._batches.append(reports)
            if len(self._batches) >= _MANY:
                self._batches = self.table().combine_chunks().to_batches()

    def _about(self, hashes: UInt64) -> Reports:
        """The reports whose `own` is one of these hashes, which are sorted."""
        found = [batch.filter(pa.array(is_among(batch.column("own").to_numpy(), hashes))) for batch in self._batches]
        return Reports(pa.Table.from_batches(found, SCHEMA), self._settings)

    def settled(self, attributed: pa.RecordBatch, from_us: Microseconds) -> pa.RecordBatch:
        """Attributed flows, with what their far ends reported, if all reports that may fit are known.

        Args:
            attributed: record batch as of `Resolver.attribute`.
            from_us: all reports that ended from this moment on are known.
        """
        if OPEN not in attributed.schema.names:
            return attributed
        hold = self._settings.hold
        from_us = min(max(from_us, NEVER_BEFORE), NEVER_AFTER - hold) + hold
        known = is_open(attributed) & (microseconds(attributed.column("end")) >= from_us)
        hashes = asked_hashes(attributed.filter(pa.array(known)), self._settings) if known.any() else None
        reports = None if hashes is None else self._about(hashes)
        return settled(attributed, reports, self._settings, among=known)

    def table(self) -> pa.Table:
        """All of them, a table of `attribution.core.flow_evidence.reports.SCHEMA`."""
        return pa.Table.from_batches(self._batches, SCHEMA)

    def known_from_us(self, watermark_us: Microseconds) -> Microseconds:
        """The end (µs) from which on no report was forgotten, if time has come to this watermark."""
        if watermark_us in (NEVER_BEFORE, NEVER_AFTER):
            return max(watermark_us, self.complete_from_us)
        return max(watermark_us - self._memory_us, self.complete_from_us)

    def forget(self, watermark_us: Microseconds) -> None:
        """Forget the reports that no flow asks about from this watermark on."""
        before_us = self.known_from_us(watermark_us)
        kept = [batch.filter(pa.array(microseconds(batch.column("end")) >= before_us)) for batch in self._batches]
        self._batches = [batch for batch in kept if batch.num_rows]
