"""Which pool an address is of, and which policies hand it out, as of a time and a place."""

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.columnar.arrays import encode
from attribution.core.columnar.types import Bool, Int8, Int32, Int64, UInt64
from attribution.core.fallback.validity import Epochs, in_force
from attribution.core.question import Question

#: Addresses as `addresses.pack` gives them.
Packed = tuple[UInt64, UInt64]

#: What policies may be to an address at a moment.
STATES = ("in_force", "elsewhere", "ended")

#: The policies that are tried in turn, and the state that each is.
_IN_FORCE, _ELSEWHERE, _ENDED, _ENDED_ELSEWHERE = range(4)
_STATE = np.array([0, 1, 2, 2, -1], np.int8)
#: What makes two records one policy, of which the earliest end counts.
_ALIKE = ("policy", "pool", "prefix", "match", "start")


class Place(NamedTuple):
    """Where a flow was logged, or what a policy says of that; None where it is not known or not said."""

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


_ANYWHERE = Place(None, None)


@dataclass(frozen=True)
class Handed:
    """Which policies have each of a batch of addresses.

    Attributes:
        number: of the set of policies, -1 where there is none.
        state: place in `STATES`, -1 where there is none.
        pools: Arrow text, the pools of each set, each once, in order, with commas.
        policies: Arrow text, the policies of each set, likewise.
    """

    number: Int32
    state: Int8
    pools: Any
    policies: Any

    def columns(self, side: str, rows: Int64, size: int) -> dict[str, Any]:
        """The columns of that side of `size` flows; these are the answers for `rows`, for the others there is none."""
        number, state = np.full(size, -1, np.int32), np.full(size, -1, np.int32)
        number[rows], state[rows] = self.number, self.state
        taken = pa.array(number, mask=number < 0)
        return {
            f"{side}_pool": _taken(self.pools, taken),
            f"{side}_policy": _taken(self.policies, taken),
            f"{side}_policy_state": pa.DictionaryArray.from_arrays(pa.array(state, mask=state < 0), pa.array(STATES)),
        }


def _taken(texts: Any, numbers: Any) -> Any:
    """Rows of a few texts, as a dictionary of the distinct ones."""
    few = texts.dictionary_encode()
    return pa.DictionaryArray.from_arrays(few.indices.take(numbers), few.dictionary)


@dataclass(frozen=True)
class _View:
    """What some policies say in one epoch: a table of prefixes, and the set of policies of each row of it."""

    prefixes: PrefixTable
    sets: Int32

    def match(self, high: UInt64, low: UInt64) -> Int32:
        """Number of the set of policies of each packed address; -1 where there is none."""
        return self.sets[self.prefixes.match_packed(high, low)]


class PolicyIndex:
    """Answers which policies have each address, by `docs/design.md`; safe to use from several threads.

    Policies are few and addresses many: for each place and epoch that is asked about, a table of prefixes is made once.
    """

    def __init__(self, policies: Any) -> None:
        """Digest a canonical Arrow table of `schemas/policy.avsc`, in any order."""
        self._prefix: list[str] = policies.column("prefix").to_pylist()
        self._pool: list[str] = policies.column("pool").to_pylist()
        self._policy: list[str] = policies.column("policy").to_pylist()
        self._place = [Place.of_match(match) for match in policies.column("match").to_pylist()]
        start, self._end = in_force(policies, alike=_ALIKE)
        self._epochs = Epochs(start, self._end)
        self._views: dict[tuple[Place, int, int], _View] = {}
        self._numbers: dict[frozenset[int], int] = {}
        self._sets: list[frozenset[int]] = []
        self._texts: tuple[list[str], list[str]] = [], []
        self._placed = any(place != _ANYWHERE for place in self._place)
        self._making = Lock()

    def ask(self, address: Packed, data_centre: Any, region: Any, question: Question) -> Handed:
        """Which policies have each address.

        Args:
            address: of the pool space.
            data_centre: text column, where each flow was logged; null where not known.
            region: the same.
            question: the asked intervals.
        """
        high, low = address
        number, tried = np.full(len(high), -1, np.int32), np.full(len(high), -1, np.int64)
        for place, there in self._places(data_centre, region):
            for which in range(len(_STATE) - 1):
                rows = there[number[there] < 0]
                if len(rows) == 0:
                    break
                over = which >= _ENDED
                a = question.a[rows]
                number[rows] = self._during((high[rows], low[rows]), place, which, a, a if over else question.b[rows])
                tried[rows] = which
        state = _STATE[np.where(number < 0, -1, tried)]
        with self._making:
            pools, policies = (pa.array(texts, pa.string()) for texts in self._texts)
        return Handed(number, state, pools, policies)

    def _during(self, address: Packed, place: Place, which: int, a: Int64, b: Int64) -> Int32:
        """The sets of the policies that have the addresses at any moment of the intervals."""
        number = np.full(len(a), -1, np.int32)
        for epoch, rows in self._epochs.each(a, b):
            one = self._view(place, which, epoch).match(address[0][rows], address[1][rows])
            before = number[rows]
            both = np.flatnonzero((before >= 0) & (one >= 0) & (before != one))
            pairs, pair = np.unique(np.stack([before[both], one[both]]), axis=1, return_inverse=True)
            united = np.array([self._united(*two) for two in pairs.T.tolist()], np.int32)
            one[both] = united[pair.reshape(-1)]
            number[rows] = np.maximum(one, np.where(one < 0, before, -1))
        return number

    def _places(self, data_centre: Any, region: Any) -> Iterator[tuple[Place, Int64]]:
        """Each place that makes a difference, with its rows."""
        if self._placed:
            return _places(data_centre, region)
        return iter([(_ANYWHERE, np.arange(len(region)))])

    def _united(self, one: int, other: int) -> int:
        with self._making:
            return self._number(self._sets[one] | self._sets[other])

    def _number(self, members: frozenset[int]) -> int:
        if members not in self._numbers:
            self._numbers[members] = len(self._sets)
            self._sets.append(members)
            for texts, values in zip(self._texts, (self._pool, self._policy), strict=True):
                texts.append(",".join(sorted({values[row] for row in members})))
        return self._numbers[members]

    def _view(self, place: Place, which: int, epoch: int) -> _View:
        key = place, which, epoch
        if key not in self._views:
            with self._making:
                self._views[key] = self._made(place, which, epoch)
        return self._views[key]

    def _made(self, place: Place, which: int, epoch: int) -> _View:
        here = np.array([of.fits(place) for of in self._place], np.bool_)
        current = self._epochs.ended(epoch) if which >= _ENDED else self._epochs.current(epoch)
        sets = self._by_prefix(current & (here if which in (_IN_FORCE, _ENDED) else ~here), last=which >= _ENDED)
        prefixes = pa.array(list(sets), pa.string())
        table = PrefixTable(pa.table({"prefix": prefixes, "service": prefixes}))
        return _View(table, np.array([*map(self._number, sets.values()), -1], np.int32))

    def _by_prefix(self, which: Bool, *, last: bool) -> dict[str, frozenset[int]]:
        """The policies of each prefix; `last`: of these the ones that ended last."""
        found: dict[str, list[int]] = {}
        for row in np.flatnonzero(which).tolist():
            found.setdefault(self._prefix[row], []).append(row)
        if last:
            for prefix, rows in found.items():
                end = max(self._end[row] for row in rows)
                found[prefix] = [row for row in rows if self._end[row] == end]
        return {prefix: frozenset(rows) for prefix, rows in found.items()}


def _places(data_centre: Any, region: Any) -> Iterator[tuple[Place, Int64]]:
    """Each place that the columns name, with its rows."""
    (centres, centre_names), (regions, region_names) = encode(data_centre), encode(region)
    # -1, a null, finds the None at the end.
    names = [*centre_names.to_pylist(), None], [*region_names.to_pylist(), None]
    both = centres.astype(np.int64) * (len(names[1]) + 1) + regions
    for one in np.unique(both).tolist():
        rows = np.flatnonzero(both == one)
        yield Place(names[0][centres[rows[0]]], names[1][regions[rows[0]]]), rows
