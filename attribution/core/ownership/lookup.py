"""Who held an address, by heartbeats: from address and socket to the key, and from the key to the answer."""

from functools import cached_property, reduce

import numpy as np
import pyarrow as pa

from attribution.config import Settings
from attribution.core.addressing.place_book import AskedPlaces, ChosenPlaces, PlaceBook, Stands
from attribution.core.columnar.arrays import NONE, SEVERAL
from attribution.core.columnar.types import Bool, Int8, Int32, Int64
from attribution.core.ownership.claims import of_counting_claims
from attribution.core.ownership.heartbeats import Heartbeats
from attribution.core.ownership.index import OwnerAnswers, RangeIndex
from attribution.core.ownership.range_records import range_records
from attribution.core.ownership.ranges import RangeTables, build_ranges
from attribution.core.question import Question
from attribution.core.reasons import CODES

_BRIDGED, _CONFLICT, _GAP = CODES["bridged"], CODES["conflict"], CODES["gap"]
_SHARED, _WITHIN = CODES["shared"], CODES["within"]


#: What a side did with its connection.
ACCEPTED_IT, OPENED_IT = np.int8(0), np.int8(1)


class Ownership:
    """An immutable view on a set of heartbeats that answers batches of questions.

    What only `ask` needs is made when somebody first asks, or by `prepared`.

    Example: workload `a` sends heartbeats from 10.0.0.1 until 09:00:10, and `b` holds UDP port 53 of 10.0.0.2.

    >>> from attribution.schema import arrow_schema
    >>> second = 1_000_000
    >>> rows = [
    ...     {"address": "10.0.0.1", "workload": "a", "start": 0, "end": 10 * second},
    ...     {"address": "10.0.0.2", "port": 53, "protocol": 17, "workload": "b", "start": 0, "end": 10 * second},
    ... ]
    >>> heartbeats = Heartbeats.of(pa.Table.from_pylist(rows, schema=arrow_schema("heartbeat")))
    >>> ownership = Ownership(heartbeats, Settings())

    Four connections begin at 5 s. The last one asks for TCP port 80 of the shared address 10.0.0.2.

    >>> start = np.full(4, 5 * second)
    >>> question = Question(start - second, start + second, start, start, np.full(4, True), np.full(4, False))
    >>> addresses = pa.array(["10.0.0.1", "10.0.0.9", "10.0.0.2", "10.0.0.2"])
    >>> sockets = np.array([6 << 16 | 80, 6 << 16 | 80, 17 << 16 | 53, 6 << 16 | 80], np.int32)
    >>> places = ownership.choose(AskedPlaces.of_view(addresses), question).place
    >>> answers = ownership.ask(places, sockets, question)
    >>> ownership.workload_of(answers).tolist()  # places in `heartbeats.workloads`
    [0, -1, 1, -1]
    >>> [list(CODES)[code] for code in answers.reason]
    ['covered', 'unknown', 'covered', 'shared']
    """

    def __init__(self, heartbeats: Heartbeats, settings: Settings) -> None:
        """Build the ranges of heartbeats, in any order."""
        self.heartbeats = of_counting_claims(heartbeats.of_one_host(), settings)
        self.tables: RangeTables = build_ranges(self.heartbeats, settings)
        self._settings = settings
        ranges = self.tables.ranges
        # With one entry more, which `NONE` finds: no range.
        self._workload = np.append(ranges.workload, NONE)
        self._service = np.append(ranges.service, NONE)
        self._mixed = np.append(~ranges.uniform, False)
        self._is_shared = np.zeros(self.tables.keys.addresses + 1, np.bool_)
        self._is_shared[self.tables.keys.shared] = True

    @cached_property
    def _index(self) -> RangeIndex:
        return RangeIndex(self.tables, self._settings)

    @cached_property
    def places(self) -> PlaceBook:
        """The places that heartbeats are about, in the order of `heartbeats.addresses`."""
        return PlaceBook(self.heartbeats.addresses, self._settings)

    def prepared(self) -> "Ownership":
        """Itself, ready to be asked by several threads at once, each of which would otherwise make the same."""
        _ = self._index, self.places
        return self

    def choose(self, asked: AskedPlaces, question: Question) -> ChosenPlaces:
        """The place whose evidence answers each question: that of the one network in which evidence stands."""
        return self.places.choose(asked, self._standing_for(question))

    def standing(self, asked: AskedPlaces, question: Question) -> tuple[Int64, Int32]:
        """Every place of the address of each question in which evidence stands, as `PlaceBook.standing`."""
        return self.places.standing(asked, self._standing_for(question))

    def _standing_for(self, question: Question) -> Stands:
        """Whether the evidence of a place counts for a question."""

        def stands(place: Int32, row: Int64) -> Bool:
            part = question.take(row)
            counting = self._index.counts(place, part)
            shared = np.flatnonzero(self._is_shared[place])
            if len(shared):
                counting[shared] |= self._index.counts(self._shared_group(place[shared]), part.take(shared))
            return counting

        return stands

    def ask(self, place: Int32, socket: Int32, question: Question, opened: Int8 | None = None) -> OwnerAnswers:
        """What the evidence says of each (place, socket), by the key that `docs/design.md` chooses.

        Args:
            place: places as of `choose`; `NONE` is a place without evidence.
            socket: as of `asked_sockets`.
            question: the asked intervals.
            opened: what each side did: `OPENED_IT`, `ACCEPTED_IT`, or `NONE` if that is not known. By default of all.
        """
        group, keys = place, self.tables.keys
        if len(keys.shared) == 0:
            return self._index.ask(group, question)
        rows = np.flatnonzero(self._is_shared[group])
        whole = self._shared_group(group[rows])
        rows = rows[self._index.counts(whole, question.take(rows))]
        part = question.take(rows)
        held = self._keys_of_sockets(group[rows], socket[rows], None if opened is None else opened[rows])
        seen = [self._index.counts(key, part) for key in held]
        asked, found = group.copy(), np.full(len(rows), NONE)
        for key, counts in zip(held[::-1], seen[::-1], strict=True):
            found = np.where(counts, key, found)
        known = np.sum(seen, axis=0)
        asked[rows] = np.where(known > 0, found, group[rows])
        answers, parts = self._index.ask(asked, question), []
        unseen = rows[known == 0]
        if len(unseen):
            parts.append((unseen, OwnerAnswers.unnamed(np.full(len(unseen), _SHARED))))
        several = np.flatnonzero(known > 1)
        if len(several):
            keys_of = [np.where(counts[several], key[several], NONE) for key, counts in zip(held, seen, strict=True)]
            parts.append((rows[several], self._combined(keys_of, part.take(several))))
        return answers.with_parts(*parts)

    def _keys_of_sockets(self, place: Int32, socket: Int32, opened: Int8 | None) -> list[Int32]:
        """The groups that are about each socket, in the order in which they answer; `NONE` where there is none."""
        keys = self.tables.keys
        listening = keys.of_socket(place, socket)
        if opened is not None:
            listening = np.where((opened == OPENED_IT) & ~keys.is_ephemeral(listening), NONE, listening)
        found = [listening]
        if keys.any_opened:
            connections = keys.of_socket(place, socket, opened=True)
            found.append(connections if opened is None else np.where(opened == ACCEPTED_IT, NONE, connections))
        if len(keys.blocks):
            found.append(self._block_group(place, socket))
        return found

    def touching(self, place: Int32, socket: Int32, question: Question, opened: Int8 | None = None) -> Int32:
        """The one workload whose ranges touch each asked interval, on the keys that `ask` asks.

        `NONE` where none does, `SEVERAL` where several do.
        """
        keys = self.tables.keys
        whole, a, b = place, question.a, question.b
        if len(keys.shared) == 0:
            return self._index.only_touching(whole, a, b)
        shared = self._is_shared[place]
        by_port = shared & self._index.counts(np.where(shared, self._shared_group(place), NONE), question)
        found = np.where(by_port, NONE, self._index.only_touching(whole, a, b)).astype(np.int32)
        for group in self._keys_of_sockets(place, socket, opened):
            found = np.where(by_port, _either(found, self._index.only_touching(group, a, b)), found)
        return found

    def _combined(self, keys: list[Int32], question: Question) -> OwnerAnswers:
        """The answers where several keys about a socket were seen; `NONE` for a key that was not."""
        touching = [self._index.only_touching(group, question.a, question.b) for group in keys]
        several = reduce(_either, touching) == SEVERAL
        combined = OwnerAnswers.unnamed(np.where(several, _CONFLICT, _GAP))
        for at in reversed(range(len(keys))):
            answers = self._index.ask(keys[at], question)
            others = [group for number, group in enumerate(keys) if number != at]
            combined = combined.where(self._stands(answers, others, question), answers)
        return combined

    def _stands(self, answers: OwnerAnswers, others: list[Int32], question: Question) -> Bool:
        """Whether each answer of a key names a workload that nobody on the other keys speaks against."""
        around = np.where(answers.reason == _BRIDGED, self._settings.max_gap, 0)
        stands = answers.range >= 0
        for group in others:
            touching = self._index.only_touching(group, question.a - around, question.b + around)
            stands &= (touching == NONE) | (touching == self.workload_of(answers))
        return np.asarray(stands)

    def _shared_group(self, address: Int32) -> Int32:
        """The group of each shared address as a shared one."""
        keys = self.tables.keys
        return (keys.addresses + np.searchsorted(keys.shared, address)).astype(np.int32)

    def _block_group(self, address: Int32, socket: Int32) -> Int32:
        """The group of the port block that each socket is in; `NONE` where it is in none."""
        keys = self.tables.keys
        block = keys.blocks.find(address, socket)
        return np.where(block < 0, NONE, keys.first_block + block).astype(np.int32)

    def remembered(self, place: Int32, question: Question) -> Bool:
        """Whether each place is a workload's: seen, on any socket, `workload_memory` before the flow or later.

        Args:
            place: places as of `choose`.
            question: the asked intervals.
        """
        shared = np.where(self._is_shared[place], self._shared_group(place), NONE)
        memory = self._settings.workload_memory
        seen = [self._index.counts(key, question, within=memory) for key in (place, shared)]
        return seen[0] | seen[1]

    def workload_of(self, answers: OwnerAnswers) -> Int32:
        """Workload of each answer as a number into `heartbeats.workloads`; `NONE` where nobody is named."""
        return self._workload[answers.range]

    def service_of(self, answers: OwnerAnswers, question: Question) -> Int32:
        """Service of each answer as a number into `heartbeats.services`; `NONE` where none or several are named.

        Which heartbeats of the owner name it depends on the answer:

        - in general, heartbeats at most `max_gap` from the asked interval;
        - for `within`, heartbeats at most `max_gap` from the owner's first heartbeat;
        - on an ephemeral socket, heartbeats of the answering piece that touch the asked interval.
        """
        ranges = self.tables.ranges
        service = self._service[answers.range]
        rows = np.flatnonzero(self._mixed[answers.range])
        if len(rows):
            owner = answers.range[rows].astype(np.int64)
            ephemeral = self.tables.keys.is_ephemeral(ranges.group[owner])
            first = (answers.reason[rows] == _WITHIN) & ~ephemeral
            gap = np.where(ephemeral, 0, self._settings.max_gap)
            x = np.where(first, ranges.start[owner], question.a[rows] - gap)
            y = np.where(first, ranges.start[owner], question.b[rows]) + gap
            service[rows] = self.tables.services.named(owner, x, y)
        return service

    def ranges(self, *, several: str | None = None, among: Int64 | None = None) -> pa.RecordBatch:
        """Ownership ranges, as a record batch of `schemas/ownership_range.avsc`, by address, socket and time.

        Args:
            several: service of a range whose heartbeats name several; who joins ranges must tell that from none.
            among: places of ranges in `tables.ranges`; all by default.
        """
        return range_records(self.heartbeats, self.tables, several=several, among=among)


def _either(one: Int32, other: Int32) -> Int32:
    """The one workload of two columns of `RangeIndex.only_touching`; `SEVERAL` where they differ."""
    same = (one == other) | (other == NONE)
    return np.where(same, one, np.where(one == NONE, other, SEVERAL)).astype(np.int32)
