"""Which region an address belongs to: the region of the longest of its prefixes."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.columnar.types import Bool, Int32, Texts

#: In the place of a region's number: no region has the address.
NOWHERE = -1


class RegionTable:
    """Finds the region of each of a batch of addresses; immutable once made.

    Args:
        prefixes: canonical CIDR prefixes, each once.
        regions: the region of each.

    Attributes:
        names: the regions, each once; a region's number is its place.
    """

    def __init__(self, prefixes: Sequence[str], regions: Sequence[str]) -> None:
        self.names = tuple(dict.fromkeys(regions))
        self._table = PrefixTable(pa.table({"prefix": pa.array(prefixes, pa.string()), "service": pa.array(regions)}))
        # The last entry is what a look-up without a prefix finds.
        self._number = np.array([*(self.names.index(region) for region in regions), NOWHERE], np.int32)

    def numbers(self, addresses: Texts) -> Int32:
        """The number of each address's region; `NOWHERE` where no region has it.

        Args:
            addresses: canonical text without nulls.
        """
        return self._number[self._table.match(addresses)]

    def within(self, addresses: Texts, region: str) -> Bool:
        """Whether each address belongs to this region; a region without prefixes has no addresses."""
        number = self.names.index(region) if region in self.names else len(self.names)
        inside: Bool = self.numbers(addresses) == number
        return inside
