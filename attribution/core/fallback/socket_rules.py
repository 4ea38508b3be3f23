"""Which service the socket rules give the connections to an address and port, as of a time.

As a sk_lookup program decides (Linux, `Documentation/bpf/prog_sk_lookup.rst`): by prefix, ports and protocol, whatever
socket listens where.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa

from attribution.core.addressing.addresses import pack
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.addressing.sockets import ANY_SOCKET, split_sockets
from attribution.core.columnar.arrays import encode, find, integers, recode
from attribution.core.columnar.types import Bool, Int32, Int64, UInt8, UInt64
from attribution.core.fallback.validity import Epochs, in_force
from attribution.core.question import Question

#: What the rules say of an interval: nothing during all of it, one service during all of it, anything else.
NOTHING, DISPATCHED, CHANGED = 0, 1, 2

_ALIKE = ("rule", "prefix", "port", "last_port", "protocol", "service", "priority", "data_centre", "start")
_NONE, _CONTESTED = -1, -2


@dataclass(frozen=True)
class Dispatched:
    """What the rules say to each question.

    Attributes:
        state: `NOTHING`, `DISPATCHED` or `CHANGED`.
        service: number into `RuleIndex.services`; -1 where the state is not `DISPATCHED`.
    """

    state: UInt8
    service: Int32


class RuleIndex:
    """Answers which service gets the connections to each (address, socket); immutable once made.

    Rules are few: every rule in force is held against all sockets that its prefix may contain.

    Attributes:
        services: Arrow text, the services that the rules name.
    """

    def __init__(self, rules: Any) -> None:
        """Digest a canonical Arrow table of `schemas/socket_rule.avsc`, in any order."""
        self._service, self.services = encode(rules.column("service"))
        centre = rules.column("data_centre").to_pylist()
        self._centre: list[str | None] = centre
        self._centres = sorted({name for name in centre if name is not None})
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
        self._epochs = Epochs(start, end)

    def __bool__(self) -> bool:
        """Whether there is any rule."""
        return len(self._of) > 0

    def sides(self, flows: Any, which: str, socket: Int32, rows: Int64) -> "Sides":
        """What the rules ask of one side of flows, `local` or `remote`.

        Args:
            flows: record batch.
            which: the side.
            socket: as of `asked_sockets`, for these rows.
            rows: those whose side may have accepted the connection.
        """
        high, low = pack(flows.column(f"{which}_address"))
        protocol = integers(flows.column("protocol"), null=-1)
        centre, nowhere = np.full(len(high), -1, np.int32), np.zeros(len(high), np.bool_)
        if self._centres:
            codes, names = encode(flows.column("data_centre"))
            centre, nowhere = recode(codes, find(names, pa.array(self._centres, pa.string()))), codes < 0
        return Sides(high[rows], low[rows], socket, protocol[rows], centre[rows], nowhere[rows])

    def ask(self, side: "Sides", question: Question) -> Dispatched:
        """What the rules say of each side."""
        size = len(side.socket)
        state, service = np.zeros(size, np.uint8), np.full(size, _NONE, np.int32)
        asked = np.flatnonzero(self._all.match_packed(side.high, side.low) >= 0)
        side = side.take(asked)
        first, ever = np.full(len(asked), _NONE, np.int32), np.zeros(len(asked), np.bool_)
        changed = np.zeros(len(asked), np.bool_)
        for epoch, rows in self._epochs.each(question.a[asked], question.b[asked]):
            now = self._in_epoch(epoch, side, rows)
            changed[rows] |= (ever[rows] & (now != first[rows])) | (now == _CONTESTED)
            first[rows], ever[rows] = now, True
        state[asked] = np.where(changed, CHANGED, np.where(first >= 0, DISPATCHED, NOTHING))
        service[asked] = np.where(changed, _NONE, first)
        return Dispatched(state, service)

    def _in_epoch(self, epoch: int, side: "Sides", rows: Int64) -> Int32:
        """The service of each row in an epoch; `_NONE` where no rule fits, `_CONTESTED` where two do."""
        found = np.full(len(rows), _NONE, np.int32)
        best = np.full((len(rows), 2), -1, np.int64)
        best[:, 0] = np.iinfo(np.int64).min
        unsure = np.zeros(len(rows), np.bool_)
        inside: dict[str, Bool] = {}
        for rule in np.flatnonzero(self._epochs.current(epoch)).tolist():
            prefix = self._of[rule]
            if prefix not in inside:
                inside[prefix] = self._prefix[prefix].match_packed(side.high[rows], side.low[rows]) >= 0
            fits = inside[prefix] & self._fits(rule, side, rows)
            if self._centre[rule] is not None:
                # Where it is not known where a flow came in, a rule that one place has of its own may be the one.
                unsure |= fits & side.nowhere[rows]
                fits &= side.centre[rows] == self._centres.index(self._centre[rule])
            rank = self._rank[rule]
            higher = (rank[0] > best[:, 0]) | ((rank[0] == best[:, 0]) & (rank[1] > best[:, 1]))
            equal = (rank[0] == best[:, 0]) & (rank[1] == best[:, 1])
            found[fits & equal & (found != self._service[rule])] = _CONTESTED
            found[fits & higher] = self._service[rule]
            best[fits & higher] = rank
        found[unsure] = _CONTESTED
        return found

    def _fits(self, rule: int, side: "Sides", rows: Int64) -> Bool:
        """Whether a rule is for the socket of each row."""
        fits = np.ones(len(rows), np.bool_)
        if self._first[rule] >= 0:
            port = split_sockets(side.socket[rows])[1]
            fits &= (side.socket[rows] != ANY_SOCKET) & (port >= self._first[rule]) & (port <= self._last[rule])
        if self._protocol[rule] >= 0:
            fits &= side.protocol[rows] == self._protocol[rule]
        return fits


@dataclass(frozen=True)
class Sides:
    """Sides of flows that may have accepted connections, as `RuleIndex.sides` gives them."""

    high: UInt64
    low: UInt64
    socket: Int32
    protocol: Int32
    centre: Int32
    nowhere: Bool

    def take(self, rows: Int64) -> "Sides":
        """Those rows."""
        return Sides(*(getattr(self, field.name)[rows] for field in fields(self)))
