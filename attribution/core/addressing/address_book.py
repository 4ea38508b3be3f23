"""The addresses that have evidence, numbered, and found again in the columns of flows."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.addressing import ipv4
from attribution.core.columnar.arrays import encode, find, recode
from attribution.core.columnar.types import Int32


class AddressBook:
    """Finds each row's address among known ones; columns of plain IPv4 text take the fast way."""

    def __init__(self, addresses: Any) -> None:
        """Number the distinct canonical `addresses`, Arrow text, by their place."""
        self._addresses = addresses
        # Dots without colons: what canonical text says IPv4 by.
        place = np.flatnonzero(np.invert(pc.match_substring(addresses, ":").to_numpy(zero_copy_only=False)))
        numbers = ipv4.parse(addresses.take(pa.array(place)))
        if numbers is None:
            raise ValueError("the addresses of evidence must be canonical text")
        self._place = np.append(place, -1).astype(np.int32)
        self._numbering = ipv4.Numbering(numbers)

    def find(self, column: Any) -> Int32:
        """The number of each row's address; -1 where it is not in the book or null."""
        if pa.types.is_string(column.type):
            numbers = ipv4.parse(column)
            if numbers is not None:
                return self._place[self._numbering.find(numbers)]
        codes, values = encode(column)
        return recode(codes, find(values, self._addresses))
