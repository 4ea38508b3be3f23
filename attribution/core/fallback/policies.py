"""Which pool an address belongs to, and which policies hand it out, as of a time and a place."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from threading import Lock
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.columnar.arrays import NONE, encode
from attribution.core.columnar.types import Bool, Int8, Int32, Int64, Texts, UInt64
from attribution.core.fallback.validity import ValidityPeriods, in_force
from attribution.core.question import Question, Side

#: Addresses as `addresses.pack` gives them.
Packed: TypeAlias = tuple[UInt64, UInt64]


class PolicyState(IntEnum):
    """What policies may be to an address at a moment; records have the lower-case name."""

    IN_FORCE = 0
    ELSEWHERE = 1
    ENDED = 2


_STATES = pa.array([state.name.lower() for state in PolicyState])


class _Attempt(NamedTuple):
    """Some policies that are tried, and the state of the addresses that they have.

    Attributes:
        state: the state.
        counting: whether the policies that count for a flow are tried, or the others.
        ended: whether policies that ended before are tried, or policies in force.
    """

    state: PolicyState
    counting: bool
    ended: bool


#: The policies that are tried, in turn.
_ATTEMPTS = (
    _Attempt(PolicyState.IN_FORCE, counting=True, ended=False),
    _Attempt(PolicyState.ELSEWHERE, counting=False, ended=False),
    _Attempt(PolicyState.ENDED, counting=True, ended=True),
    _Attempt(PolicyState.ENDED, counting=False, ended=True),
)
#: What makes two records one policy, of which the earliest end counts.
_ALIKE = ("policy", "pool", "prefix", "network", "match", "start")


class Place(NamedTuple):
    """Where a flow was logged, or what a policy says of that; None if it is not known or not said."""

    data_centre: str | None
    region: str | None

    @classmethod
    def of_match(cls, match: str | None) -> "Place":
        """What the `match` of a policy says of the place."""
        said = dict(part.split("=", 1) for part in match.split(",")) if match else {}
        return cls(said.get("data_centre"), said.get("region"))

    def fits(self, other: "Place") -> bool:
        """Whether nothing that both say differs."""
        return all(one is None or two is None or one == two for one, two in zip(self, other, strict=True))


class Where(NamedTuple):
    """A place, and the network in which an address there is; None if that is not sure."""

    place: Place
    network: str | None


_ANYWHERE = Where(Place(None, None), None)


@dataclass(frozen=True)
class PolicyAnswers:
    """Which policies have each address of a batch.

    Attributes:
        number: number of the set of policies; `NONE` where there is none.
        state: the `PolicyState`; `NONE` where there are no policies.
        pools: for each set of policies its pools, each once, in order, joined by commas.
        policies: for each set of policies its policies, likewise.
    """

    number: Int32
    state: Int8
    pools: pa.StringArray
    policies: pa.StringArray

    def take(self, rows: Int64) -> "PolicyAnswers":
        """The answers of these rows."""
        return replace(self, number=self.number[rows], state=self.state[rows])

    def columns(self, side: Side, rows: Int64, size: int) -> dict[str, pa.DictionaryArray]:
        """The columns of that side of `size` flows. These are the answers for `rows`; other flows have nulls."""
        number, state = np.full(size, NONE), np.full(size, NONE)
        number[rows], state[rows] = self.number, self.state
        taken = pa.array(number, mask=number < 0)
        return {
            f"{side}_pool": _taken(self.pools, taken),
            f"{side}_policy": _taken(self.policies, taken),
            f"{side}_policy_state": pa.DictionaryArray.from_arrays(pa.array(state, mask=state < 0), _STATES),
        }


def _taken(texts: pa.StringArray, numbers: pa.Int32Array) -> pa.DictionaryArray:
    """Rows of a few texts, as a dictionary of the distinct texts."""
    few = texts.dictionary_encode()
    return pa.DictionaryArray.from_arrays(few.indices.take(numbers), few.dictionary)


@dataclass(frozen=True)
class _View:
    """What some policies say in one period: a table of prefixes, and the set of policies of each of its rows."""

    prefixes: PrefixTable
    sets: Int32

    def match(self, high: UInt64, low: UInt64) -> Int32:
        """Number of the set of policies of each packed address; `NONE` where there is none."""
        return self.sets[self.prefixes.match_packed(high, low)]


class PolicyIndex:
    """Answers which policies have each address, by `docs/design.md`; safe to use from several threads.

    Policies are few and addresses many. For each place and period that is asked about, a table of prefixes is made
    once.
    """

    def __init__(self, policies: pa.Table) -> None:
        """Index a canonical table of `schemas/policy.avsc`, in any order."""
        self._prefix: list[str] = policies.column("prefix").to_pylist()
        self._pool: list[str] = policies.column("pool").to_pylist()
        self._policy: list[str] = policies.column("policy").to_pylist()
        self._place = [Place.of_match(match) for match in policies.column("match").to_pylist()]
        self._network: list[str | None] = policies.column("network").to_pylist()
        start, self._end = in_force(policies, alike=_ALIKE)
        self._periods = ValidityPeriods(start, self._end)
        self._views: dict[tuple[Where, _Attempt, int], _View] = {}
        self._numbers: dict[frozenset[int], int] = {}
        self._sets: list[frozenset[int]] = []
        self._texts: tuple[list[str], list[str]] = [], []
        self._placed = any(where != _ANYWHERE for where in map(Where, self._place, self._network))
        self._making = Lock()

    def ask(self, address: Packed, place: tuple[Texts, Texts, Texts], question: Question) -> PolicyAnswers:
        """Which policies have each address.

        Args:
            address: addresses of the pool space.
            place: data centre and region in which each flow was logged; the network in which the address is for sure;
                null where that is not known.
            question: the asked intervals.
        """
        high, low = address
        number, state = np.full(len(high), NONE), np.full(len(high), NONE, np.int8)
        for somewhere, there in self._places(*place):
            for attempt in _ATTEMPTS:
                rows = there[number[there] < 0]
                if len(rows) == 0:
                    break
                a = question.a[rows]
                found = self._during(
                    (high[rows], low[rows]), somewhere, attempt, a, a if attempt.ended else question.b[rows]
                )
                number[rows] = found
                state[rows] = np.where(found < 0, NONE, attempt.state)
        with self._making:
            pools, policies = (pa.array(texts, pa.string()) for texts in self._texts)
        return PolicyAnswers(number, state, pools, policies)

    def _during(self, address: Packed, where: Where, attempt: _Attempt, a: Int64, b: Int64) -> Int32:
        """The sets of the policies that have the addresses at any moment of the intervals."""
        number = np.full(len(a), NONE)
        for period, rows in self._periods.each(a, b):
            found = self._view(where, attempt, period).match(address[0][rows], address[1][rows])
            before = number[rows]
            both = np.flatnonzero((before >= 0) & (found >= 0) & (before != found))
            pairs, pair = np.unique(np.stack([before[both], found[both]]), axis=1, return_inverse=True)
            united = np.array([self._united(*two) for two in pairs.T.tolist()], np.int32)
            found[both] = united[pair.reshape(-1)]
            number[rows] = np.maximum(found, np.where(found < 0, before, NONE))
        return number

    def _places(self, data_centre: Texts, region: Texts, network: Texts) -> Iterator[tuple[Where, Int64]]:
        """Each place that makes a difference, with its rows."""
        if self._placed:
            return _places(data_centre, region, network)
        return iter([(_ANYWHERE, np.arange(len(region)))])

    def _united(self, one: int, other: int) -> int:
        """Number of the set of the policies that are in one set, or in the other."""
        with self._making:
            return self._number(self._sets[one] | self._sets[other])

    def _number(self, members: frozenset[int]) -> int:
        """Number of a set of policies; a new set gets the next number."""
        if members not in self._numbers:
            self._numbers[members] = len(self._sets)
            self._sets.append(members)
            for texts, values in zip(self._texts, (self._pool, self._policy), strict=True):
                texts.append(",".join(sorted({values[row] for row in members})))
        return self._numbers[members]

    def _view(self, where: Where, attempt: _Attempt, period: int) -> _View:
        key = where, attempt, period
        if key not in self._views:
            with self._making:
                self._views[key] = self._made(where, attempt, period)
        return self._views[key]

    def _made(self, where: Where, attempt: _Attempt, period: int) -> _View:
        counting = np.array([of.fits(where.place) for of in self._place], np.bool_)
        held = np.array([network in (None, where.network) for network in self._network], np.bool_)
        tried = held & (self._periods.ended(period) if attempt.ended else self._periods.current(period))
        sets = self._by_prefix(tried & (counting if attempt.counting else ~counting), last=attempt.ended)
        prefixes = pa.array(list(sets), pa.string())
        table = PrefixTable(pa.table({"prefix": prefixes, "service": prefixes}))
        return _View(table, np.array([*map(self._number, sets.values()), NONE], np.int32))

    def _by_prefix(self, which: Bool, *, last: bool) -> dict[str, frozenset[int]]:
        """The policies of each prefix; with `last` only the policies that ended last."""
        found: dict[str, list[int]] = {}
        for row in np.flatnonzero(which).tolist():
            found.setdefault(self._prefix[row], []).append(row)
        if last:
            for prefix, rows in found.items():
                end = max(self._end[row] for row in rows)
                found[prefix] = [row for row in rows if self._end[row] == end]
        return {prefix: frozenset(rows) for prefix, rows in found.items()}


def _places(*columns: Texts) -> Iterator[tuple[Where, Int64]]:
    """Each place and network that the columns name, with its rows."""
    codes, names = zip(*map(encode, columns), strict=True)
    # `NONE`, the code of a null, finds the None at the end.
    texts = [[*known.to_pylist(), None] for known in names]
    place = np.zeros(len(codes[0]), np.int64)
    for code, known in zip(codes, names, strict=True):
        place = place * (len(known) + 1) + code + 1
    for number in np.unique(place).tolist():
        rows = np.flatnonzero(place == number)
        centre, region_name, network_name = (text[code[rows[0]]] for text, code in zip(texts, codes, strict=True))
        yield Where(Place(centre, region_name), network_name), rows
