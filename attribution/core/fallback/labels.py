"""Labels: names of prefixes, in every network or in one."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.config import Settings
from attribution.core.addressing.candidates import IS_IN, MAY_BE_IN, CandidateNetworks
from attribution.core.addressing.place_book import AskedPlaces
from attribution.core.addressing.prefixes import PrefixTable
from attribution.core.columnar.arrays import NONE, encode
from attribution.core.columnar.types import Bool, Int8, Int32, Int64, Records

#: In the place of a service, which no label has twice: the label may hold, so that its prefix names nobody.
_UNSURE = "\0"


class LabelIndex:
    """Finds the label of addresses; immutable once made, but for tables that are kept.

    Labels without a network hold in every network. Those of a network compete with them there: the longest prefix
    answers, and a prefix with two names names nobody. Nor does a prefix with a label that only may hold.
    """

    def __init__(self, labels: Records, settings: Settings) -> None:
        """Index canonical records of `schemas/label.avsc`."""
        self._labels = labels
        self._network, names = encode(labels.column("network"))
        self._networks = CandidateNetworks(settings, names.to_pylist())
        #: By the bytes of what `CandidateNetworks` says of a side.
        self._tables: dict[bytes, _Table] = {}
        if not self._networks:
            self._table(np.zeros(0, np.int8))

    def match(self, asked: AskedPlaces) -> Int32:
        """The row of the label with the longest prefix that contains each address; `NONE` where there is none."""
        if not self._networks:
            return self._table(np.zeros(0, np.int8)).match(asked)
        found = np.full(len(asked), NONE)
        kinds, kind = np.unique(self._networks.of(asked), axis=0, return_inverse=True)
        for number, held in enumerate(kinds):
            rows = np.flatnonzero(kind.reshape(-1) == number)
            found[rows] = self._table(held).match(asked.take(rows))
        return found

    def _table(self, held: Int8) -> "_Table":
        """The labels of a side, by whether it is in each network."""
        key = held.tobytes()
        if key not in self._tables:
            of_label = np.append(held, IS_IN)[self._network]
            self._tables[key] = _Table(self._labels, np.flatnonzero(of_label >= MAY_BE_IN), of_label == IS_IN)
        return self._tables[key]


class _Table:
    """Some of the labels, of which some are sure."""

    def __init__(self, labels: Records, rows: Int64, sure: Bool) -> None:
        # With one entry more, which `NONE` finds: no label.
        self._rows = np.append(np.where(sure[rows], rows, NONE), NONE).astype(np.int32)
        taken = pa.array(rows)
        service = pc.if_else(pa.array(sure[rows]), labels.column("service").take(taken).cast(pa.string()), _UNSURE)
        self._table = PrefixTable(pa.table({"prefix": labels.column("prefix").take(taken), "service": service}))

    def match(self, asked: AskedPlaces) -> Int32:
        return self._rows[self._table.match(asked.address)]
