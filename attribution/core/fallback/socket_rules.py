"""Which service the socket rules give the connections to an address and port, as of a time.

As a sk_lookup program decides (Linux, `Documentation/bpf/prog_sk_lookup.rst`): by prefix, ports and protocol, whatever
socket listens where.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import pyarrow as pa

from attribution.config import Settings
from attribution.core.addressing.addresses import pack
from attribution.core.addressing.candidates import IS_IN, NOT_IN, CandidateNetworks
from attribution.core.addressing.place_book import AskedPlaces
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.addressing.sockets import ANY_SOCKET, split_sockets
from attribution.core.columnar.aligned_columns import AlignedColumns
from attribution.core.columnar.arrays import NONE, SEVERAL, encode, find, integers, recode
from attribution.core.columnar.types import Bool, Int8, Int32, Int64, UInt8, UInt64
from attribution.core.fallback.validity import ValidityPeriods, in_force
from attribution.core.question import Question

_DEFAULT = Settings()
_ALIKE = ("rule", "prefix", "network", "port", "last_port", "protocol", "service", "priority", "data_centre", "start")


class RuleState(IntEnum):
    """What the rules say of an interval."""

    #: No rule fits during any of it.
    NOTHING = 0
    #: One service gets the connections during all of it.
    DISPATCHED = 1
    #: Anything else: the service changes, is contested, or gets them for a part of it only.
    CHANGED = 2


_NOTHING, _DISPATCHED, _CHANGED = (np.uint8(state) for state in RuleState)


@dataclass(frozen=True)
class RuleAnswers(AlignedColumns):
    """What the rules say to each question.

    Attributes:
        state: the `RuleState`.
        service: number into `RuleIndex.services`; `NONE` where the state is not `DISPATCHED`.
    """

    state: UInt8
    service: Int32


@dataclass(frozen=True)
class AcceptingSides(AlignedColumns):
    """Sides of flows that may have accepted connections.

    Attributes:
        high: upper half of the address, as of `addresses.pack`.
        low: lower half of the address.
        socket: the socket, as of `asked_sockets`.
        protocol: the protocol; -1 where it is not known.
        centre: number of the data centre among the data centres that rules name; `NONE` where no rule names it.
        nowhere: whether the data centre is not known.
        networks: whether each side is in each network that rules name, as of `CandidateNetworks.of`.
    """

    high: UInt64
    low: UInt64
    socket: Int32
    protocol: Int32
    centre: Int32
    nowhere: Bool
    networks: Int8


class RuleIndex:
    """Answers which service gets the connections to each (address, socket); immutable once made.

    Rules are few: every rule in force is held against all sockets that its prefix may contain.

    Attributes:
        services: the services that the rules name.
    """

    services: pa.StringArray

    def __init__(self, rules: pa.Table, settings: Settings = _DEFAULT) -> None:
        """Index a canonical table of `schemas/socket_rule.avsc`, in any order."""
        self._service, self.services = encode(rules.column("service"))
        centre = rules.column("data_centre").to_pylist()
        self._centre: list[str | None] = centre
        self._centres = sorted({name for name in centre if name is not None})
        self._network, names = encode(rules.column("network"))
        self._networks = CandidateNetworks(settings, names.to_pylist())
        self._first = integers(rules.column("port"), null=-1)
        last = integers(rules.column("last_port"), null=-1)
        self._last = np.where(last < 0, self._first, last)
        self._protocol = integers(rules.column("protocol"), null=-1)
        priority = integers(rules.column("priority"), null=0)
        prefixes: list[str] = rules.column("prefix").to_pylist()
        self._all = PrefixTable.of_prefixes(sorted(set(prefixes)))
        self._prefix = {prefix: PrefixTable.of_prefixes([prefix]) for prefix in set(prefixes)}
        self._of = prefixes
        self._rank = np.array(
            [(int(p), int(prefix.rpartition("/")[2])) for p, prefix in zip(priority, prefixes, strict=True)], np.int64
        ).reshape(-1, 2)
        start, end = in_force(rules, alike=_ALIKE)
        self._periods = ValidityPeriods(start, end)

    def __bool__(self) -> bool:
        """Whether there is any rule."""
        return len(self._of) > 0

    def sides(self, flows: pa.RecordBatch, asked: AskedPlaces, socket: Int32, rows: Int64) -> AcceptingSides:
        """What the rules ask of one side of flows.

        Args:
            flows: record batch.
            asked: the addresses of that side, and what is known of their networks.
            socket: as of `asked_sockets`, for these rows.
            rows: the flows whose side may have accepted the connection.
        """
        high, low = pack(asked.address)
        protocol = integers(flows.column("protocol"), null=-1)
        centre, nowhere = np.full(len(high), NONE), np.zeros(len(high), np.bool_)
        if self._centres:
            codes, names = encode(flows.column("data_centre"))
            centre, nowhere = recode(codes, find(names, pa.array(self._centres, pa.string()))), codes < 0
        networks = self._networks.of(asked.take(rows))
        return AcceptingSides(high[rows], low[rows], socket, protocol[rows], centre[rows], nowhere[rows], networks)

    def ask(self, sides: AcceptingSides, question: Question) -> RuleAnswers:
        """What the rules say of each side."""
        nothing = RuleAnswers(np.full(len(sides), _NOTHING), np.full(len(sides), NONE))
        asked = np.flatnonzero(self._all.match_packed(sides.high, sides.low) >= 0)
        if len(asked) == 0:
            return nothing
        return nothing.with_parts((asked, self._ask_periods(sides.take(asked), question.take(asked))))

    def _ask_periods(self, sides: AcceptingSides, question: Question) -> RuleAnswers:
        """What the rules say of each side in all periods that its interval touches."""
        first, ever = np.full(len(sides), NONE), np.zeros(len(sides), np.bool_)
        changed = np.zeros(len(sides), np.bool_)
        for period, rows in self._periods.each(question.a, question.b):
            now = self._in_period(period, sides, rows)
            changed[rows] |= (ever[rows] & (now != first[rows])) | (now == SEVERAL)
            first[rows], ever[rows] = now, True
        state = np.where(changed, _CHANGED, np.where(first >= 0, _DISPATCHED, _NOTHING))
        return RuleAnswers(state, np.where(changed, NONE, first))

    def _in_period(self, period: int, sides: AcceptingSides, rows: Int64) -> Int32:
        """The service of each row in a period; `NONE` where no rule fits, `SEVERAL` where two services contest it."""
        found = np.full(len(rows), NONE)
        best = np.full((len(rows), 2), -1, np.int64)
        best[:, 0] = np.iinfo(np.int64).min
        unsure = np.zeros(len(rows), np.bool_)
        inside: dict[str, Bool] = {}
        for rule in np.flatnonzero(self._periods.current(period)).tolist():
            prefix = self._of[rule]
            if prefix not in inside:
                inside[prefix] = self._prefix[prefix].match_packed(sides.high[rows], sides.low[rows]) >= 0
            fits = inside[prefix] & self._fits(rule, sides, rows)
            there, perhaps = self._there(rule, sides, rows)
            unsure |= fits & perhaps
            fits &= there
            rank = self._rank[rule]
            higher = (rank[0] > best[:, 0]) | ((rank[0] == best[:, 0]) & (rank[1] > best[:, 1]))
            equal = (rank[0] == best[:, 0]) & (rank[1] == best[:, 1])
            found[fits & equal & (found != self._service[rule])] = SEVERAL
            found[fits & higher] = self._service[rule]
            best[fits & higher] = rank
        found[unsure] = SEVERAL
        return found

    def _there(self, rule: int, sides: AcceptingSides, rows: Int64) -> tuple[Bool, Bool]:
        """Whether a rule is for the data centre and network of each row; and whether it may be, if these were known."""
        there, perhaps = np.ones(len(rows), np.bool_), np.ones(len(rows), np.bool_)
        centre = self._centre[rule]
        if centre is not None:
            there &= sides.centre[rows] == self._centres.index(centre)
            perhaps &= there | sides.nowhere[rows]
        if self._network[rule] >= 0:
            held = sides.networks[rows, self._network[rule]]
            there &= held == IS_IN
            perhaps &= held != NOT_IN
        return there, perhaps & ~there

    def _fits(self, rule: int, sides: AcceptingSides, rows: Int64) -> Bool:
        """Whether a rule is for the socket of each row."""
        fits = np.ones(len(rows), np.bool_)
        if self._first[rule] >= 0:
            port = split_sockets(sides.socket[rows])[1]
            fits &= (sides.socket[rows] != ANY_SOCKET) & (port >= self._first[rule]) & (port <= self._last[rule])
        if self._protocol[rule] >= 0:
            fits &= sides.protocol[rows] == self._protocol[rule]
        return fits
