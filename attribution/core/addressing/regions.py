"""Which region an address belongs to: the region of the longest of its prefixes.

A prefix may be a region's in one network only. Such a prefix *holds* for an address that is in this network for sure,
and *may hold* for one that may be in it, as of `CandidateNetworks`.

Example: `east` and `west` both have 10.0.0.0/8, each in a network of its own.

>>> table = RegionTable(["10.0.0.0/8", "10.0.0.0/8"], ["east", "west"], ["vpc-e", "vpc-w"])
>>> asked = AskedPlaces.of_view(pa.array(["10.0.0.1", "10.0.0.1"]), pa.array(["vpc-w", None]))
>>> [table.names[number] if number >= 0 else number for number in table.numbers(asked).tolist()]
['west', -2]
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from attribution.config import Settings
from attribution.core.addressing.candidates import IS_IN, MAY_BE_IN, CandidateNetworks
from attribution.core.addressing.place_book import AskedPlaces
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.columnar.arrays import encode
from attribution.core.columnar.types import Bool, Int8, Int32, Texts

#: In the place of a region's number: no region has the address.
NOWHERE: Final = -1
#: Regions have the address in networks of their own, and it is not known in which it is.
UNSURE: Final = -2


class RegionTable:
    """Finds the region of each of a batch of addresses; immutable once made, but for tables that are kept.

    Args:
        prefixes: canonical CIDR prefixes, each once in a network.
        regions: the region of each.
        networks: the network in which each holds; None for every network, as for all of them by default.
        settings: the settings of the rules, which say how networks reach each other.

    Attributes:
        names: the regions, each once; a region's number is its place.
    """

    def __init__(
        self,
        prefixes: Sequence[str],
        regions: Sequence[str],
        networks: Sequence[str | None] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.names = tuple(dict.fromkeys(regions))
        self._prefixes = pa.array(prefixes, pa.string())
        self._region = np.array([self.names.index(region) for region in regions], np.int32)
        self._network, named = encode(pa.array(networks or [None] * len(prefixes), pa.string()))
        self._networks = CandidateNetworks(settings or Settings(), named.to_pylist())
        #: By the bytes of what `CandidateNetworks` says of an address.
        self._tables: dict[bytes, _Table] = {}

    def numbers(self, asked: AskedPlaces | Texts) -> Int32:
        """The number of each address's region; `NOWHERE` if no region has it, `UNSURE` if it may be of several.

        Args:
            asked: canonical addresses without nulls; with their networks, if these are known.
        """
        if not isinstance(asked, AskedPlaces):
            asked = AskedPlaces.of_view(asked)
        if not self._networks:
            return self._table(np.zeros(0, np.int8)).numbers(asked)
        found = np.empty(len(asked), np.int32)
        kinds, kind = np.unique(self._networks.of(asked), axis=0, return_inverse=True)
        for number, held in enumerate(kinds):
            rows = np.flatnonzero(kind.reshape(-1) == number)
            found[rows] = self._table(held).numbers(asked.take(rows))
        return found

    def within(self, asked: AskedPlaces | Texts, region: str) -> Bool:
        """Whether each address belongs to this region for sure; a region without prefixes has no addresses."""
        number = self.names.index(region) if region in self.names else len(self.names)
        inside: Bool = self.numbers(asked) == number
        return inside

    def _table(self, held: Int8) -> "_Table":
        key = held.tobytes()
        if key not in self._tables:
            of_prefix = np.append(held, IS_IN)[self._network]
            self._tables[key] = _Table(self._prefixes, self._region, of_prefix)
        return self._tables[key]


class _Table:
    """The regions of addresses of which the same networks are known: `held` says for each prefix whether it holds."""

    def __init__(self, prefixes: pa.StringArray, region: Int32, held: Int8) -> None:
        rows = np.flatnonzero(held >= MAY_BE_IN)
        # A prefix that only may hold is of a region that has no number, so that it disputes one that holds.
        owner = np.where(held[rows] == IS_IN, region[rows], UNSURE)
        self._owner = np.append(owner, UNSURE).astype(np.int32)
        services = pa.array(map(str, owner.tolist()), pa.string())
        self._table = PrefixTable(pa.table({"prefix": prefixes.take(pa.array(rows)), "service": services}))

    def numbers(self, asked: AskedPlaces) -> Int32:
        # What no entry says is disputed, or outside of all prefixes.
        found = self._owner[self._table.match(asked.address)]
        return np.where((found == UNSURE) & ~self._table.contains(asked.address), NOWHERE, found).astype(np.int32)
