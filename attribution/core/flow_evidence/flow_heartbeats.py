"""Flows as heartbeats: what a connection whose local workload was known at capture shows of its address and its port.

That is "Flows as heartbeats" of `docs/design.md`. What a connection shows of the whole address, and of a port that the
wire shows, is one thing. What it claims of its own port is another: claims count only where an address is held by port.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.addressing.sockets import (
    ACCEPTED,
    ANY_SOCKET,
    BALANCED,
    CLAIM,
    OPENED,
    SHOWN,
    asked_sockets,
    columns_of,
    ephemeral,
)
from attribution.core.columnar.arrays import is_value
from attribution.core.columnar.dictionaries import decoded, plain
from attribution.core.columnar.types import Bool, Column, Int32, Int64, Records, Texts
from attribution.core.question import opened_and_accepted
from attribution.core.times import times_of
from attribution.schema import HEARTBEAT, TIMESTAMP, record

#: The fields of a flow that its heartbeats and claims are made of; a batch needs no others.
FIELDS = (
    "start", "end", "local_address", "local_port", "protocol", "wire_address", "wire_port", "local_network",
    "remote_network", "direction", "local_workload", "local_service", "observer", "received", "basis",
)  # fmt: skip

#: What a log's flows with a known local workload are as heartbeats of it: over the whole interval; at its start only
#: (the end can come from a connection-tracking timeout, which outlives the owner); or no heartbeats.
FlowHeartbeats: TypeAlias = Literal["interval", "start", "none"]

_CONNECTION = pa.scalar("connection", pa.string())


class FlowEvidence:
    """Makes heartbeats and claims of flows.

    A window is no heartbeat, since the workload may have held the address in a part of it only.

    Args:
        settings: the settings of the rules.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._by_port = PrefixTable.of_prefixes(settings.prefixes_held_by_port)
        self._translated = PrefixTable.of_prefixes(settings.translated_prefixes)
        self._pools = PrefixTable.of_prefixes(settings.pool_prefixes)

    def heartbeats(self, flows: Records, span: FlowHeartbeats = "interval") -> pa.RecordBatch:
        """The heartbeats that flows are, but for claims that count only where an address is held by port.

        Args:
            flows: canonical flows; the columns `FIELDS` are enough. Text may be dictionary-encoded.
            span: `interval` if the end is the last activity seen at the owner. `start` if the end can come from a
                connection-tracking timeout, which outlives the owner. `none` if the log's flows are no heartbeats.

        Returns:
            Heartbeats of addresses in the order of their flows, with text encoded as it was. Heartbeats of sockets come
            behind them, and then text is plain.
        """
        seen = self._seen(flows, span)
        on_wire = _valid(seen.flows.column("wire_address"))
        whole = seen if on_wire is None else seen.where(~(on_wire & seen.at_own_address))
        parts = []
        if self._pools:
            whole = whole.where(~self._pools.contains(whole.flows.column("local_address")))
        if self._by_port:
            held_by_port = self._by_port.contains(whole.flows.column("local_address"))
            parts.append(self._own_sockets(whole.where(held_by_port)))
            whole = whole.where(~held_by_port)
        if on_wire is not None:
            parts.append(self._on_wire(seen.where(on_wire)))
        nothing = np.full(whole.flows.num_rows, ANY_SOCKET, np.int64)
        found = whole.heartbeats("local_address", whole.flows.column("local_network"), nothing)
        return _joined(found, [part for part in parts if part.num_rows])

    def claims(self, flows: Records, span: FlowHeartbeats = "interval") -> pa.RecordBatch:
        """What connections claim of their own ports: `accepted` and `opened`; as of `heartbeats`."""
        seen = self._seen(flows, span)
        sockets = asked_sockets(seen.flows.column("protocol"), seen.flows.column("local_port"))
        claims = sockets != ANY_SOCKET
        on_wire = _valid(seen.flows.column("wire_address"))
        if on_wire is not None:
            claims &= ~(on_wire & seen.at_own_address)
        for elsewhere in (self._pools, self._by_port):
            if elsewhere:
                claims &= ~elsewhere.contains(seen.flows.column("local_address"))
        listening = self._may_be_accepted(seen, sockets, seen.flows.column("local_address"))
        claims &= ~listening | (seen.lag == 0)
        seen, sockets = seen.where(claims), sockets[claims]
        claim = np.where(seen.accepted, ACCEPTED, OPENED)
        seen = seen.at_start(listening[claims])
        return seen.heartbeats("local_address", seen.flows.column("local_network"), sockets + claim * CLAIM)

    def _seen(self, flows: Records, span: FlowHeartbeats) -> "_Seen":
        batch = _one_batch(flows) if isinstance(flows, pa.Table) else flows
        if span == "none":
            batch = batch.slice(0, 0)
        known = pc.and_(batch.column("local_workload").is_valid(), is_value(batch.column("basis"), _CONNECTION))
        if not pc.all(known, min_count=0).as_py():
            batch = batch.filter(known)
        return _Seen.of(batch, span, self._settings)

    def _own_sockets(self, seen: "_Seen") -> pa.RecordBatch:
        """What connections show of their own sockets on addresses that are known to be held by port."""
        sockets = asked_sockets(seen.flows.column("protocol"), seen.flows.column("local_port"))
        translated = self._translated.contains(seen.flows.column("local_address"))
        return self._of_sockets(seen, "local_address", seen.flows.column("local_network"), sockets, translated)

    def _on_wire(self, seen: "_Seen") -> pa.RecordBatch:
        """What connections show of the sockets that the wire shows."""
        sockets = asked_sockets(seen.flows.column("protocol"), seen.flows.column("wire_port"))
        own = asked_sockets(seen.flows.column("protocol"), seen.flows.column("local_port"))
        elsewhere = ~(seen.at_own_address & (sockets == own))
        elsewhere |= self._translated.contains(seen.flows.column("wire_address"))
        return self._of_sockets(seen, "wire_address", network_on_wire(seen.flows), sockets, elsewhere)

    def _of_sockets(
        self, seen: "_Seen", address: str, network: Column, sockets: Int32, elsewhere: Bool
    ) -> pa.RecordBatch:
        """What connections show of explicit sockets; `elsewhere` says which sockets a translator gave away."""
        listening = self._may_be_accepted(seen, sockets, seen.flows.column(address))
        shown = (sockets != ANY_SOCKET) & ~(listening & ~elsewhere & (seen.lag > 0))
        own = np.where(seen.accepted, 0, SHOWN)
        claim = np.where(listening & elsewhere, BALANCED, own)[shown]
        network = network.filter(pa.array(shown))
        seen = seen.where(shown).at_start((listening & ~elsewhere)[shown])
        return seen.heartbeats(address, network, sockets[shown] + claim * CLAIM)

    def _may_be_accepted(self, seen: "_Seen", sockets: Int32, address: Texts) -> Bool:
        """Which connections may be of a listening socket, and so say nothing of these sockets after their start."""
        given_out = ephemeral(sockets, self._translated.contains(address), self._settings)
        return seen.accepted | ~(seen.opened | given_out)


@dataclass(frozen=True)
class _Seen:
    """Connections with a captured workload.

    Attributes:
        flows: the connections.
        start: first moment at which the workload was there, whatever the clock, µs.
        end: last moment of that kind, µs.
        lag: how late the clock may be, µs.
        accepted: whether each was accepted.
        opened: whether each was opened; the direction is not known if neither.
    """

    flows: pa.RecordBatch
    start: Int64
    end: Int64
    lag: Int64
    accepted: Bool
    opened: Bool

    @classmethod
    def of(cls, flows: pa.RecordBatch, span: FlowHeartbeats, settings: Settings) -> Self:
        times = times_of(flows, settings)
        opened, accepted = opened_and_accepted(flows, "local")
        # The end of a record with a lag is when it was received: the end of the record is that much earlier.
        start, end = times.start + times.lag, times.start if span == "start" else times.end - times.lag
        seen = cls(flows, start, end, times.lag, accepted, opened)
        sure = ~times.untimed & (start <= end)
        return seen if sure.all() else seen.where(sure)

    @property
    def at_own_address(self) -> Bool:
        """Whether the wire shows the local address."""
        both = (decoded(self.flows.column(name)) for name in ("wire_address", "local_address"))
        return np.asarray(pc.fill_null(pc.equal(*both), False))

    def where(self, mask: Bool) -> Self:
        if mask.all():
            return self
        times = (self.start[mask], self.end[mask], self.lag[mask])
        return type(self)(self.flows.filter(pa.array(mask)), *times, self.accepted[mask], self.opened[mask])

    def at_start(self, mask: Bool) -> Self:
        """The same, but for what ends when it starts."""
        return replace(self, end=np.where(mask, self.start, self.end))

    def heartbeats(self, address: str, network: Column, sockets: Int64) -> pa.RecordBatch:
        """The heartbeats of these connections at an address of theirs, in these networks, and at these sockets."""
        flows = self.flows
        columns = {
            "address": flows.column(address),
            "network": network,
            **columns_of(sockets),
            "workload": flows.column("local_workload"),
            "service": flows.column("local_service"),
            "start": pa.array(self.start).cast(TIMESTAMP),
            "end": pa.array(self.end).cast(TIMESTAMP),
            "observer": flows.column("observer"),
        }
        fields = record(HEARTBEAT).fields
        schema = pa.schema([pa.field(f.name, columns[f.name].type, nullable=f.nullable) for f in fields])
        return pa.record_batch([columns[f.name] for f in fields], schema=schema)


def network_on_wire(flows: pa.RecordBatch) -> Column:
    """The network of each wire address: that of the remote address, to which it is shown."""
    local, remote = flows.column("local_network"), flows.column("remote_network")
    if remote.null_count == len(remote):
        return local
    own = pc.equal(decoded(flows.column("wire_address")), decoded(flows.column("local_address")))
    return pc.if_else(own, decoded(local), pc.coalesce(decoded(remote), decoded(local)))


def _valid(column: Column) -> Bool | None:
    """Which values there are; None if there are none."""
    return None if column.null_count == len(column) else column.is_valid().to_numpy(zero_copy_only=False)


def _joined(first: pa.RecordBatch, others: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    if not others:
        return first
    tables = pa.Table.from_batches([plain(batch) for batch in (first, *others)])
    return tables.combine_chunks().to_batches()[0]


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    """One record batch of a table, its dictionaries brought to one dictionary."""
    batches = table.unify_dictionaries().combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
