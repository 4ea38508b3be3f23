"""What makes a flow one record, and the memory of a stream of the flows that have gone out.

A record is a repeat if the fields of its identity agree with those of a record before it. They hold all that is said of
the two ends and of the time, for there are logs whose ids are not unique. So a repeat says nothing that was not said.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import MINUTE, Settings
from attribution.core.addressing.sockets import WITH_PORTS
from attribution.core.columnar.arrays import NEVER_AFTER, NEVER_BEFORE
from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.hashing import hash_rows
from attribution.core.columnar.number_set import NumberSet
from attribution.core.columnar.types import Bool, Int32, UInt64
from attribution.core.flow_evidence.flow_heartbeats import FIELDS as OF_HEARTBEATS
from attribution.core.times import asked_times

_WITH_PORTS = pa.array(WITH_PORTS, pa.int32())
#: The fields of a conversation: when, between whom, and which way.
CONVERSATION = (
    "start", "end", "local_address", "local_port", "remote_address", "remote_port", "protocol", "direction",
)  # fmt: skip


@dataclass(frozen=True)
class Identity:
    """What makes a flow one record, by fields of `schemas/flow.avsc`.

    Attributes:
        needs: a flow in which one of these fields is null has no identity.
        also: fields that must agree, too, and may be null.
        by_ports: whether a flow has no identity if its protocol, or a port that the protocol has, is not known: then
            several conversations look alike.
    """

    needs: tuple[str, ...]
    also: tuple[str, ...] = ()
    by_ports: bool = False

    def hashes(self, flows: pa.RecordBatch) -> tuple[UInt64, Bool]:
        """A hash of the identity of each canonical flow, and which flows have one."""
        columns = {name: flows.column(name) for name in (*self.needs, *self.also) if name in flows.schema.names}
        known = np.ones(flows.num_rows, np.bool_)
        for name in self.needs:
            known &= columns[name].is_valid().to_numpy(zero_copy_only=False)
        if self.by_ports:
            known &= _conversation_known(flows)
        return hash_rows(columns | _as_captured(flows, columns)), known

    def is_of(self, flows: pa.RecordBatch) -> bool:
        """Whether any of these flows can have the identity; costs next to nothing."""
        names = flows.schema.names
        return all(name in names and flows.column(name).null_count < flows.num_rows for name in self.needs)


def _conversation_known(flows: pa.RecordBatch) -> Bool:
    """Whether the protocol of each flow is known, and both its ports if the protocol has ports."""
    protocol = flows.column("protocol")
    both = pc.and_(flows.column("local_port").is_valid(), flows.column("remote_port").is_valid())
    known = pc.and_(protocol.is_valid(), pc.or_(both, pc.invert(pc.is_in(protocol, value_set=_WITH_PORTS))))
    told: Bool = known.to_numpy(zero_copy_only=False)
    return told


def _as_captured(flows: pa.RecordBatch, columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """What was captured of the local side: what was attributed to it is no part of the record."""
    if "local_method" not in flows.schema.names:
        return {}
    captured = pc.equal(decoded(flows.column("local_method")), "capture")
    names = [name for name in ("local_workload", "local_service") if name in columns]
    texts = {name: decoded(columns[name]) for name in names}
    return {name: pc.if_else(captured, text, pa.scalar(None, text.type)) for name, text in texts.items()}


#: The log has an id for each record.
BY_RECORD_ID = Identity(
    ("record_id",),
    tuple(dict.fromkeys((*CONVERSATION, *OF_HEARTBEATS, "local_network", "remote_network"))),
)


class FlowMemory:
    """The flows with a `record_id` that a stream has let out, by a hash of their identity, for `record_memory`.

    What it says depends on the flows and the watermark only: not on batches, and not on what has been forgotten.

    Args:
        settings: of the rules.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._memory_us = settings.hold + settings.record_memory
        self._out = NumberSet()

    @property
    def identities(self) -> tuple[UInt64, Int32]:
        """The hash of each identity, and the minute since 1970 in which its flow ended, rounded up."""
        return self._out.items

    def add(self, hashes: UInt64, minutes: Int32) -> None:
        """Remember `identities` of another memory."""
        self._out.add(hashes, minutes)

    def first(self, batches: list[pa.RecordBatch], watermark_us: int) -> tuple[list[pa.RecordBatch], int]:
        """The flows that have not gone out, each once; and how many others there are.

        A flow that ended longer ago than it is remembered is compared with the other flows of `batches` only.

        Args:
            batches: flows that are due.
            watermark_us: up to when evidence is complete.
        """
        now, kept, repeated = NumberSet(), [], 0
        for batch in batches:
            if not BY_RECORD_ID.is_of(batch):
                kept.append(batch)
                continue
            hashes, known = BY_RECORD_ID.hashes(batch)
            young = asked_times(batch, self._settings)[1] >= self._oldest_us(watermark_us)
            repeat = known & young & self._out.has(hashes)
            asked = np.flatnonzero(known & ~repeat)
            repeat[asked] = ~now.add(hashes[asked], 0)
            repeated += int(repeat.sum())
            if not repeat.all():
                kept.append(batch.filter(pa.array(~repeat)) if repeat.any() else batch)
        return kept, repeated

    def went_out(self, batches: list[pa.RecordBatch]) -> None:
        """Remember flows, attributed or not."""
        for batch in batches:
            if BY_RECORD_ID.is_of(batch):
                hashes, known = BY_RECORD_ID.hashes(batch)
                minutes = (asked_times(batch, self._settings)[1] // MINUTE + 1).astype(np.int32)
                self._out.add(hashes[known], minutes[known])

    def stayed(self, batch: pa.RecordBatch) -> None:
        """Forget flows that were taken to have gone out, and wait on."""
        if BY_RECORD_ID.is_of(batch):
            hashes, known = BY_RECORD_ID.hashes(batch)
            self._out.discard(hashes[known])

    def forget(self, watermark_us: int) -> None:
        """Forget the flows that no flow is compared with from this watermark on."""
        if watermark_us < NEVER_AFTER:
            self._out.forget(max(self._oldest_us(watermark_us), 0) // MINUTE)

    def _oldest_us(self, watermark_us: int) -> int:
        return max(watermark_us - self._memory_us, NEVER_BEFORE)
