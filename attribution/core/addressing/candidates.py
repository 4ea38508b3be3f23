"""In which networks sides of flows are held for sure, and in which they may be: for records that hold in one network.

Example: a route joins `east` and `west` within 10.1.0.0/16. Three flows come from `east`, and one does not say.

>>> networks = CandidateNetworks(Settings(routes=("east,west,10.1.0.0/16",)), ["east", "west"])
>>> addresses = pa.array(["10.0.0.1", "10.1.0.1", "10.1.0.1", "10.0.0.1"])
>>> view, told = pa.array(["east", "east", "east", None]), np.array([False, False, True, False])
>>> networks.of(AskedPlaces(addresses, view, told)).tolist()
[[2, 0], [1, 1], [2, 0], [1, 1]]
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from attribution.config import Settings
from attribution.core.addressing.place_book import AskedPlaces
from attribution.core.addressing.routes import Routes
from attribution.core.columnar.arrays import NONE
from attribution.core.columnar.dictionaries import decoded
from attribution.core.columnar.types import Bool, Int8, Int32

#: A side is not in a network; it may be; it is, and in no other that has a name.
NOT_IN: Final = 0
MAY_BE_IN: Final = 1
IS_IN: Final = 2


class CandidateNetworks:
    """Answers where sides are held, for a list of networks."""

    def __init__(self, settings: Settings, networks: Sequence[str]) -> None:
        """Take the distinct networks that are asked about."""
        self._size = len(networks)
        self._routes = Routes(settings.network_routes, networks)

    def __bool__(self) -> bool:
        """Whether there is any network."""
        return self._size > 0

    def of(self, asked: AskedPlaces) -> Int8:
        """`NOT_IN`, `MAY_BE_IN` or `IS_IN` for each side (rows) and each network (columns)."""
        found = np.full((len(asked), self._size), NOT_IN, np.int8)
        if asked.network is None:
            found[:] = MAY_BE_IN
            return found
        said = self._routes.numbered(asked.network)
        routed = self._routed(asked, said)
        alone = ~routed.any(axis=1)
        for number in range(self._size):
            own = said == number
            found[own | routed[:, number], number] = MAY_BE_IN
            found[own & alone, number] = IS_IN
        found[said == NONE] = MAY_BE_IN
        return found

    def sure(self, asked: AskedPlaces) -> pa.StringArray:
        """The network in which each side is for sure; null if it is in none of these, or may be in another."""
        if not self or asked.network is None:
            return pa.nulls(len(asked), pa.string())
        found = self.of(asked) == IS_IN
        number = np.where(found.any(axis=1), found.argmax(axis=1), NONE)
        return self._routes.names.take(pa.array(number, mask=number < 0))

    def _routed(self, asked: AskedPlaces, said: Int32) -> Bool:
        """To which of all named networks a route joins the view of each row, for its address."""
        routed = np.zeros((len(said), len(self._routes.names)), np.bool_)
        rows = np.flatnonzero((said >= 0) & ~asked.told) if self._routes else said[:0]
        if len(rows):
            address = decoded(asked.address.take(pa.array(rows)))
            for number in range(len(self._routes.names)):
                routed[rows, number] = self._routes.join(said[rows], np.full(len(rows), number), address)
        return routed
