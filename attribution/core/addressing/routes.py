"""Which networks reach each other, as of the setting `routes`."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from attribution.config import NO_NETWORK, Route, Settings
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.columnar.arrays import encode, find, recode
from attribution.core.columnar.types import Bool, Int32, Ints, Texts
from attribution.errors import ConfigError


def route_between(one: str | None, other: str | None) -> str | None:
    """The route that joins two networks for all addresses, as the setting has it; None if a name cannot stand there.

    >>> route_between("east", None), route_between("east,1", "west")
    ('east,-', None)
    """
    text = ",".join(NO_NETWORK if name is None else name for name in (one, other))
    try:
        (found,) = Settings(routes=(text,)).network_routes
    except ConfigError:
        return None
    return text if found == Route((one, other)) else None


#: The number of a network that is not among the numbered ones.
UNHEARD = np.int32(-2)


class Routes:
    """Numbers networks, and answers whether routes join two of them; -1 is no network.

    Attributes:
        names: the networks by their numbers: those that were given, then those that only routes name.
    """

    names: pa.StringArray

    def __init__(self, routes: Sequence[Route], networks: Sequence[str]) -> None:
        """Number the distinct `networks` by their places, and the routes' other networks after them."""
        routed = [name for route in routes for name in route.networks if name is not None]
        names = [*dict.fromkeys([*networks, *routed])]
        self.names = pa.array(names, pa.string())
        number: dict[str | None, int] = {name: place for place, name in enumerate(names)}
        number[None] = -1
        self._size = len(names) + 1
        self._everywhere: set[int] = set()
        prefixes: dict[int, list[str]] = {}
        for route in routes:
            pair = self._pair(*(np.array([number[name]]) for name in route.networks)).item()
            if route.prefix is None:
                self._everywhere.add(pair)
            else:
                prefixes.setdefault(pair, []).append(route.prefix)
        self._within = {pair: PrefixTable.of_prefixes(of_pair) for pair, of_pair in prefixes.items()}
        self._pairs = np.array(sorted({*self._everywhere, *self._within}), np.int64)
        self._routed = np.zeros(self._size, np.bool_)
        for pair in self._pairs.tolist():
            self._routed[list(divmod(pair, self._size))] = True

    def __bool__(self) -> bool:
        """Whether there is any route."""
        return len(self._pairs) > 0

    def numbered(self, networks: Texts) -> Int32:
        """The number of each network; `NONE` for null, and `UNHEARD` where it has no number."""
        code, texts = encode(networks)
        known = find(texts, self.names)
        return recode(code, np.where(known < 0, UNHEARD, known))

    def of(self, network: Ints) -> Bool:
        """Whether any route joins each network to another; a network that has no number (-2) has no route."""
        return np.where(network < -1, np.False_, self._routed[np.maximum(network + 1, 0)])

    def join(self, one: Ints, other: Ints, address: Texts) -> Bool:
        """Whether a route joins each two networks for the address.

        Args:
            one: a network of each row; -2 where it has no number.
            other: another one.
            address: canonical text.
        """
        joined = np.zeros(len(one), np.bool_)
        rows = np.flatnonzero((one >= -1) & (other >= -1) & (one != other)) if self else joined[:0]
        if len(rows) == 0:
            return joined
        pair = self._pair(one[rows], other[rows])
        for known in self._pairs[np.isin(self._pairs, pair)].tolist():
            mine = rows[pair == known]
            joined[mine] = known in self._everywhere or self._within[known].contains(address.take(pa.array(mine)))
        return joined

    def _pair(self, one: Ints, other: Ints) -> Ints:
        """One number for each two networks, in any order."""
        return (np.minimum(one, other) + 1).astype(np.int64) * self._size + np.maximum(one, other) + 1
