"""Who held an address, by heartbeats: from address text and socket to the key, and from the key to the answer."""

from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.addressing.addresses import AddressBook
from attribution.core.addressing.sockets import ANY_SOCKET, SOCKETS, columns_of
from attribution.core.columnar.arrays import order_by
from attribution.core.columnar.types import Bool, Int32, Int64
from attribution.core.ownership.heartbeats import Heartbeats
from attribution.core.ownership.index import SEVERAL, Answer, EvidenceIndex
from attribution.core.ownership.ranges import Evidence, digest
from attribution.core.question import Question
from attribution.core.reasons import CODES
from attribution.schema import TIMESTAMP, arrow_schema


class Ownership:
    """An immutable view on a set of heartbeats that answers batches of questions.

    What only `ask` needs is made when it is first asked, or by `prepared`.
    """

    def __init__(self, heartbeats: Heartbeats, settings: Settings) -> None:
        """Digest heartbeats, in any order."""
        self.heartbeats = heartbeats.of_one_host()
        self.evidence: Evidence = digest(self.heartbeats, settings)
        self._settings = settings
        ranges = self.evidence.ranges
        # With one entry more, which -1 finds: no range.
        self._workload = np.append(ranges.workload, np.int32(-1))
        self._service = np.append(ranges.service, np.int32(-1))
        self._uniform = np.append(ranges.uniform, True)
        self._is_shared = np.zeros(self.evidence.keys.addresses + 1, np.bool_)
        self._is_shared[self.evidence.keys.shared] = True

    @cached_property
    def index(self) -> EvidenceIndex:
        """What answers by key."""
        return EvidenceIndex(self.evidence, self._settings)

    @cached_property
    def _addresses(self) -> AddressBook:
        return AddressBook(self.heartbeats.addresses)

    def prepared(self) -> "Ownership":
        """Itself, ready to be asked by several threads at once, each of which would otherwise make the same."""
        _ = self.index, self._addresses
        return self

    def ask(self, address: Any, socket: Int32, question: Question) -> Answer:
        """What the evidence says of each (address, socket), by the key that `docs/design.md` chooses.

        Args:
            address: text column.
            socket: as of `asked_sockets`.
            question: the asked intervals.
        """
        group = self._addresses.find(address)
        keys = self.evidence.keys
        if len(keys.shared) == 0:
            return self.index.ask(group, question)
        rows = np.flatnonzero(self._is_shared[group])
        whole = (keys.addresses + np.searchsorted(keys.shared, group[rows])).astype(np.int32)
        rows = rows[self.index.counts(whole, question.take(rows))]
        single = self._single(group[rows], socket[rows])
        seen = self.index.counts(single, question.take(rows))
        block = self._block(group[rows], socket[rows])
        in_range = self.index.counts(block, question.take(rows)) if len(keys.blocks) else np.zeros(len(rows), np.bool_)
        group = group.copy()
        group[rows[in_range]] = block[in_range]
        group[rows[seen]] = single[seen]
        answer = self.index.ask(group, question)
        nothing_seen = rows[~seen & ~in_range]
        answer.range[nothing_seen] = -1
        answer.reason[nothing_seen] = CODES["shared"]
        both = np.flatnonzero(seen & in_range)
        if len(both):
            self._combine(rows[both], single[both], block[both], question.take(rows[both]), answer)
        return answer

    def _single(self, address: Int32, socket: Int32) -> Int32:
        """The group of each socket; -1 where it has none."""
        keys = self.evidence.keys
        if len(keys.socket_keys) == 0:
            return np.full(len(address), -1, np.int32)
        key = address * np.int64(SOCKETS) + socket
        position = np.minimum(np.searchsorted(keys.socket_keys, key), len(keys.socket_keys) - 1)
        known = (keys.socket_keys[position] == key) & (socket != ANY_SOCKET)
        return np.where(known, keys.first_socket + position, -1).astype(np.int32)

    def _block(self, address: Int32, socket: Int32) -> Int32:
        """The group of the block that each socket is in; -1 where it is in none."""
        keys = self.evidence.keys
        block = keys.blocks.find(address, socket)
        return np.where(block < 0, -1, keys.first_block + block).astype(np.int32)

    def _combine(self, rows: Int64, single: Int32, block: Int32, question: Question, answer: Answer) -> None:
        """Write the answers of the sockets of which both they and a range that holds them were seen."""
        exact = Answer(answer.range[rows], answer.reason[rows], answer.distance[rows])
        ranged = self.index.ask(block, question)
        by_exact = self._stands(exact, single, block, question)
        by_range = self._stands(ranged, block, single, question)
        one, other = (self.index.only_touching(group, question.a, question.b) for group in (single, block))
        several = (one == SEVERAL) | (other == SEVERAL) | ((one >= 0) & (other >= 0) & (one != other))
        nobody = np.where(several, np.uint8(CODES["conflict"]), np.uint8(CODES["gap"]))
        chosen = np.where(by_exact, 0, np.where(by_range, 1, 2))
        answer.range[rows] = np.choose(chosen, [exact.range, ranged.range, np.full(len(rows), -1, np.int32)])
        answer.reason[rows] = np.choose(chosen, [exact.reason, ranged.reason, nobody])
        answer.distance[rows] = np.choose(chosen, [exact.distance, ranged.distance, np.zeros(len(rows), np.int64)])

    def _stands(self, answer: Answer, group: Int32, other: Int32, question: Question) -> Bool:
        """Whether each answer of a key names a workload that nobody on the other key speaks against."""
        around = np.where(answer.reason == CODES["bridged"], self._settings.max_gap, 0)
        touching = self.index.only_touching(other, question.a - around, question.b + around)
        alone = (touching == -1) | (touching == self.workload_of(answer))
        lasting = (answer.reason != CODES["within"]) | self.evidence.keys.is_ephemeral(group)
        return np.asarray((answer.range >= 0) & alone & lasting)

    def remembered(self, address: Any, question: Question) -> Bool:
        """Whether each address is a workload's: seen, on any socket, `workload_memory` before the flow or later.

        Args:
            address: text column.
            question: the asked intervals.
        """
        group, keys = self._addresses.find(address), self.evidence.keys
        shared = np.where(self._is_shared[group], keys.addresses + np.searchsorted(keys.shared, group), -1)
        memory = self._settings.workload_memory
        seen = [self.index.counts(key, question, within=memory) for key in (group, shared.astype(np.int32))]
        return seen[0] | seen[1]

    def workload_of(self, answer: Answer) -> Int32:
        """Workload of each answer as a number into `heartbeats.workloads`; -1 where there is none."""
        return self._workload[answer.range]

    def service_of(self, answer: Answer, question: Question) -> Int32:
        """Service of each answer as a number into `heartbeats.services`; -1 where none or several are named.

        It is what the owner's heartbeats name that are at most `max_gap` from the asked interval; for `within`, from
        the first of them; on an ephemeral socket, those of the piece that answers which touch the asked interval.
        """
        ranges = self.evidence.ranges
        service = self._service[answer.range]
        rows = np.flatnonzero(~self._uniform[answer.range])
        if len(rows):
            owner = answer.range[rows].astype(np.int64)
            ephemeral = self.evidence.keys.is_ephemeral(ranges.group[owner])
            first = (answer.reason[rows] == CODES["within"]) & ~ephemeral
            gap = np.where(ephemeral, 0, self._settings.max_gap)
            x = np.where(first, ranges.start[owner], question.a[rows] - gap)
            y = np.where(first, ranges.start[owner], question.b[rows]) + gap
            service[rows] = self.evidence.services.named(owner, x, y)
        return service

    def ranges(self, *, several: str | None = None, among: Int64 | None = None) -> Any:
        """Ownership ranges, as a record batch of `schemas/ownership_range.avsc`, by address, socket and time.

        Args:
            several: service of a range whose heartbeats name several; who joins ranges must tell that from none.
            among: places of ranges in `evidence.ranges`; all by default. Those of no key that has an owner, which only
                say that an address is shared, are left out, and those of blocks that are no range by themselves.
        """
        ranges, keys = self.evidence.ranges, self.evidence.keys
        among = np.arange(len(ranges.start)) if among is None else among
        group = ranges.group[among]
        own = among[(group < keys.addresses) | (group >= keys.first_socket)]
        address, socket, is_key = self._addressed(ranges.group[own])
        own, address, socket = own[is_key], address[is_key], socket[is_key]
        order = order_by(address, socket, ranges.start[own])
        own, address = own[order], address[order]
        # Heartbeats that do not agree on a service and leave none: they name more than one.
        differ = ~ranges.uniform[own] & (ranges.service[own] < 0)
        service = _named(self.heartbeats.services, ranges.service[own])
        schema = arrow_schema("ownership_range")
        columns = {
            "address": pc.take(self.heartbeats.addresses, pa.array(address)),
            **columns_of(socket[order]),
            "workload": pc.take(self.heartbeats.workloads, pa.array(ranges.workload[own])),
            "service": pc.if_else(pa.array(differ), pa.scalar(several, pa.string()), service),
            "start": _time(ranges.start[own]),
            "end": _time(ranges.end[own]),
            "longest_gap": pa.array(ranges.longest_gap[own]),
            "holes": self._holes(schema.field("holes").type).take(pa.array(own)),
        }
        return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)

    def _addressed(self, group: Int64) -> tuple[Int64, Int64, Bool]:
        """Number of the address and the socket (or range) of each key, and whether it is one that evidence names."""
        keys = self.evidence.keys
        single = (group >= keys.addresses) & (group < keys.first_block)
        key = np.append(keys.socket_keys, 0)[np.where(single, group - keys.first_socket, -1)]
        address, socket = np.where(single, key // SOCKETS, group), np.where(single, key % SOCKETS, ANY_SOCKET)
        is_key = np.ones(len(group), np.bool_)
        ranged = np.flatnonzero(group >= keys.first_block)
        if len(ranged):
            address[ranged], socket[ranged], is_key[ranged] = keys.blocks.stated(group[ranged] - keys.first_block)
        return address, socket, is_key

    def _holes(self, kind: Any) -> Any:
        """The holes of every range, as an Arrow list array."""
        holes = self.evidence.holes
        before = np.searchsorted(holes.range, np.arange(len(self.evidence.ranges.start) + 1))
        spans = pa.StructArray.from_arrays([_time(holes.start), _time(holes.end)], fields=list(kind.value_type))
        return pa.ListArray.from_arrays(pa.array(before.astype(np.int32)), spans).cast(kind)


def _time(values: Any) -> Any:
    return pa.array(values, pa.int64()).cast(TIMESTAMP)


def _named(names: Any, number: Int32) -> Any:
    """The names of the numbers; null for -1."""
    return pc.take(names, pa.array(number, mask=number < 0))
