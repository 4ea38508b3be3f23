"""Labels: names of prefixes, in every network or in one."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.addressing.place_book import AskedPlaces
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.columnar.arrays import NONE, encode
from attribution.core.columnar.dictionaries import decoded, one_array
from attribution.core.columnar.types import Bool, Int32, Int64, Records


class LabelIndex:
    """Finds the label of addresses; immutable once made.

    Labels without a network hold in every network. Those of a network compete with them there: the longest prefix
    answers, and a prefix with two names names nobody.
    """

    def __init__(self, labels: Records) -> None:
        """Index canonical records of `schemas/label.avsc`."""
        network = decoded(one_array(labels.column("network")))
        everywhere = network.is_null().to_numpy(zero_copy_only=False)
        self._everywhere = _Part(labels, np.flatnonzero(everywhere))
        self._of_network = {
            name: _Part(labels, np.flatnonzero(everywhere | _equal(network, name)))
            for name in pc.unique(network).drop_null().to_pylist()
        }

    def match(self, asked: AskedPlaces) -> Int32:
        """The row of the label with the longest prefix that contains each address; `NONE` where there is none."""
        found = self._everywhere.match(asked)
        if asked.network is None or not self._of_network:
            return found
        code, names = encode(asked.network)
        for number, name in enumerate(names.to_pylist()):
            if part := self._of_network.get(name):
                rows = np.flatnonzero(code == number)
                found[rows] = part.match(asked.take(rows))
        return found


class _Part:
    """Some of the labels."""

    def __init__(self, labels: Records, rows: Int64) -> None:
        self._rows = np.append(rows, NONE).astype(np.int32)
        self._table = PrefixTable(labels if len(rows) == labels.num_rows else labels.take(pa.array(rows)))

    def match(self, asked: AskedPlaces) -> Int32:
        return self._rows[self._table.match(asked.address)]


def _equal(network: pa.StringArray, name: str) -> Bool:
    equal: Bool = pc.fill_null(pc.equal(network, name), False).to_numpy(zero_copy_only=False)
    return equal
