"""Which place a side of a flow means, if evidence is split by network: "Networks" in `docs/design.md`.

Example: there is evidence for 10.0.0.1 in the networks `east` and `west`, and for 10.0.0.2 in no network.

>>> book = PlaceBook(pa.array(["10.0.0.1@east", "10.0.0.1@west", "10.0.0.2"]), Settings())

Three flows mean 10.0.0.1, as seen from `east`, from `south` and from no known network. A fourth flow means 10.0.0.2.

>>> asked = AskedPlaces.of_view(
...     pa.array(["10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2"]), pa.array(["east", "south", None, None])
... )
>>> chosen = book.choose(asked, lambda place, row: np.full(len(place), True))
>>> chosen.place.tolist()
[0, -1, -1, 2]
>>> chosen.closed.tolist(), [list(CODES)[code] for code in chosen.reason]
([1, 2], ['other_network', 'other_network'])
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.addressing.addresses import AddressBook
from attribution.core.addressing.places import has_networks, split_places
from attribution.core.addressing.routes import UNHEARD, Routes
from attribution.core.columnar.arrays import NONE, encode, numbers_between, recode
from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.types import Bool, Int32, Int64, Texts, UInt8
from attribution.core.question import Side
from attribution.core.reasons import CODES

#: Whether the evidence of a place counts for a row: (places, rows) -> mask, one entry for each pair.
Stands: TypeAlias = Callable[[Int32, Int64], Bool]

#: Places of the addresses of rows that are looked at together, in some 100 MB.
_PAIRS = 1 << 20


@dataclass(frozen=True)
class AskedPlaces:
    """The addresses of one side of a batch of flows, and what each flow says of their networks.

    Attributes:
        address: canonical addresses.
        network: the first candidate of each; null where the flow does not say it. None if no flow of the batch does.
        told: whether that is the network of the address itself; it is the view of the flow otherwise.
        routed_by: the addresses that routes are asked about; the same by default.
    """

    address: Texts
    network: Texts | None
    told: Bool
    routed_by: Texts | None = None

    @classmethod
    def of(cls, flows: pa.RecordBatch, side: Side, settings: Settings) -> Self:
        """What flows ask about one side."""
        address = flows.column(f"{side}_address")
        local, remote = (flows.column(f"{name}_network") for name in ("local", "remote"))
        used = (local,) if side == "local" else (local, remote)
        if settings.one_space or all(column.null_count == len(column) for column in used):
            return cls(address, None, np.full(len(address), side == "local"))
        if side == "local":
            return cls(address, local, np.full(len(address), True))
        told = remote.is_valid().to_numpy(zero_copy_only=False)
        return cls(address, pc.coalesce(decoded(remote), decoded(local)), told)

    @classmethod
    def of_view(cls, address: Texts, network: Texts | None = None) -> Self:
        """Addresses as seen from networks."""
        return cls(address, network, np.full(len(address), False))

    def __len__(self) -> int:
        return len(self.told)

    def take(self, rows: Int64) -> Self:
        """The addresses of these rows."""
        taken = pa.array(rows)
        network, routed = (None if texts is None else texts.take(taken) for texts in (self.network, self.routed_by))
        return type(self)(self.address.take(taken), network, self.told[rows], routed)


@dataclass(frozen=True)
class ChosenPlaces:
    """The place of each row whose evidence answers.

    Attributes:
        place: number of the place; `NONE` where none answers.
        closed: the rows that networks leave open, so that nothing else may answer them either.
        reason: for each of these its code: of `other_network` or of `several_networks`.
    """

    place: Int32
    closed: Int64
    reason: UInt8


_NOBODY = np.zeros(0, np.int64), np.zeros(0, np.uint8)


class PlaceBook:
    """The numbers of known places, found again for the sides of flows; safe to ask from several threads.

    Attributes:
        networks: the networks that the places name.
        network: number of the network of each place among `networks`; `NONE` where a place has none.
    """

    networks: pa.StringArray
    network: Int32

    def __init__(self, places: pa.StringArray, settings: Settings) -> None:
        """Number the distinct `places` by their order."""
        self._plain = settings.one_space or not has_networks(places)
        if self._plain:
            self._addresses, self._of_address = places, np.arange(len(places), dtype=np.int32)
            self.network, self.networks = np.full(len(places), NONE), pa.array([], pa.string())
        else:
            addresses, named = split_places(places)
            self._of_address, self._addresses = encode(addresses)
            self.network, self.networks = encode(named)
        # Without networks the places are the addresses, each once, and have their numbers.
        self._book = AddressBook(self._addresses)
        self._routes = Routes(settings.network_routes, self.networks.to_pylist())
        # The places of each address stand together, in the order of their networks.
        key = self._key(self._of_address, self.network)
        self._order = np.argsort(key, kind="stable").astype(np.int32)
        self._keys = key[self._order]
        self._first = np.searchsorted(self._of_address[self._order], np.arange(len(self._addresses) + 1))

    def __len__(self) -> int:
        return len(self.network)

    def network_of(self, place: Int32) -> Int32:
        """The number of each place's network among `networks`; `NONE` where it has none, or the place is `NONE`."""
        return recode(place, self.network)

    def choose(self, asked: AskedPlaces, stands: Stands) -> ChosenPlaces:
        """The place that answers each row.

        Args:
            asked: the addresses and networks.
            stands: whether evidence of a place counts for a row.
        """
        address = self._book.find(asked.address)
        if self._plain and asked.network is None:
            return ChosenPlaces(address, *_NOBODY)
        view = self.numbered(asked.network, len(asked))
        place = self.find(address, view)
        # If nothing but its own network can answer a row, and evidence stands there, no other network is looked at.
        alone = np.flatnonzero((place >= 0) & (view >= 0) & ~self._routes.of(view))
        alone = alone[stands(place[alone], alone)]
        open_rows = address >= 0
        open_rows[alone] = False
        rows = np.flatnonzero(open_rows)
        place[rows] = NONE
        reason = np.zeros(len(rows), np.uint8)
        for part in self.parts(len(rows)):
            place[rows[part]], reason[part] = self._among(rows[part], asked, address, view, stands)
        shut = np.flatnonzero(reason)
        return ChosenPlaces(place, rows[shut], reason[shut])

    def parts(self, rows: int) -> Iterator[slice]:
        """Parts of a number of rows, so small that the places of all their addresses take little memory."""
        size = max(1, _PAIRS // (len(self.networks) + 1))
        return (slice(begin, begin + size) for begin in range(0, rows, size))

    def standing(self, asked: AskedPlaces, stands: Stands) -> tuple[Int64, Int32]:
        """Every place of the address of each row in which evidence stands: rows and places, one entry for each pair."""
        return self._standing(np.arange(len(asked)), self._book.find(asked.address), stands)

    def numbered(self, network: Texts | None, rows: int) -> Int32:
        """The number of each row's network; `NONE` for no network, and a number below that for one never heard of."""
        if network is None:
            return np.full(rows, NONE)
        return self._routes.numbered(network)

    def names_of(self, place: Int32) -> pa.StringArray:
        """The network of each place; null where it has none."""
        number = self.network_of(place)
        return self.networks.take(pa.array(number, mask=number < 0))

    def find(self, address: Int32, network: Int32) -> Int32:
        """The place of each address, as numbered here, in the very network; `NONE` where it is not known."""
        if len(self._keys) == 0:
            return np.full(len(address), NONE)
        key = self._key(address, network)
        at = np.minimum(np.searchsorted(self._keys, key), len(self._keys) - 1)
        known = (self._keys[at] == key) & (address >= 0) & (network > UNHEARD)
        return np.where(known, self._order[at], NONE)

    def _key(self, address: Int32, network: Int32) -> Int64:
        return address.astype(np.int64) * (len(self._routes.names) + 1) + network + 1

    def _among(
        self, rows: Int64, asked: AskedPlaces, address: Int32, view: Int32, stands: Stands
    ) -> tuple[Int32, UInt8]:
        """For each of these rows the place that answers, or the reason why none may; 0 is no such reason."""
        pair_row, place = self._standing(rows, address, stands)
        row = rows[pair_row]
        candidate = self._candidates(place, row, asked, view)
        size = len(rows)
        mine = np.bincount(pair_row[candidate], minlength=size)
        others = np.bincount(pair_row[~candidate], minlength=size) > 0
        named_others = np.bincount(pair_row[~candidate & (self.network[place] >= 0)], minlength=size) > 0
        found = np.full(size, NONE)
        found[pair_row[candidate]] = place[candidate]
        elsewhere = ((view[rows] == NONE) & named_others) | ((mine == 0) & others)
        reason = np.where(elsewhere, CODES["other_network"], np.uint8(0))
        reason = np.where(~elsewhere & (mine > 1), CODES["several_networks"], reason)
        return np.where(reason > 0, NONE, found), reason

    def _standing(self, rows: Int64, address: Int32, stands: Stands) -> tuple[Int64, Int32]:
        """As `standing`, for some rows; `address` has the numbers of the addresses of all rows."""
        known = address[rows]
        found = np.flatnonzero(known >= 0)
        pair_row, at = numbers_between(self._first[known[found]], self._first[known[found] + 1])
        place, pair_row = self._order[at], found[pair_row]
        counts = stands(place, rows[pair_row])
        return pair_row[counts], place[counts]

    def _candidates(self, place: Int32, row: Int64, asked: AskedPlaces, view: Int32) -> Bool:
        """Whether the address of each row may be held in the network of the place."""
        network, seen_from = self.network[place], view[row]
        same = network == seen_from
        if not self._routes:
            return same
        # What is told to be in one network is in no other that has a name.
        may = ~asked.told[row] | (network == NONE)
        rest = np.flatnonzero(~same & may & (seen_from >= 0))
        # Most networks have no route. To take the text of an address for each pair would cost more than all else.
        rest = rest[self._routes.of(seen_from[rest]) & self._routes.of(network[rest])]
        address = (asked.address if asked.routed_by is None else asked.routed_by).take(pa.array(row[rest]))
        same[rest] = self._routes.join(seen_from[rest], network[rest], decoded(address))
        return same
