"""Thrift's compact protocol, in which the footers of Parquet files are written.

Nothing is known here of what a structure means: a structure is its fields by number. Bytes that are no such structure
raise `ValueError`; no claim of a size makes more than the bytes that are there.

>>> read_struct(bytes([0x15, 0x04, 0x18, 0x02, 0x68, 0x69, 0x00]))
{1: 2, 2: b'hi'}
"""

import struct
from typing import TypeAlias

#: What a field can hold.
Value: TypeAlias = "bool | int | float | bytes | list[Value] | Struct"
#: A structure: field number -> value.
Struct: TypeAlias = "dict[int, Value]"

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_WHOLE = (4, 5, 6)
#: No footer nests its structures as deeply.
_DEEPEST = 32
#: A whole number has at most 64 bits, seven to a byte.
_MOST_SHIFT = 63


def read_struct(data: bytes) -> Struct:
    """The structure at the start of some data.

    Raises:
        ValueError: there is none, or it ends early.
    """
    try:
        return _Reader(data).structure(0)
    except (IndexError, struct.error):
        raise ValueError("it ends early") from None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def structure(self, depth: int) -> Struct:
        found: Struct = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._number()
            kind = head & 0x0F
            found[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return found

    def _value(self, kind: int, depth: int) -> Value:
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} deep")
        if kind in _WHOLE:
            return self._number()
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind == _STRUCT:
            return self.structure(depth + 1)
        if kind in (_LIST, _SET, _MAP):
            return self._list(depth) if kind != _MAP else self._map(depth)
        if kind == _DOUBLE:
            return float(struct.unpack("<d", self._bytes(8))[0])
        if kind not in (_TRUE, _FALSE, _BYTE):  # in a list, a boolean is a byte
            raise ValueError(f"there is no type {kind}")
        return self._byte()

    def _list(self, depth: int) -> list[Value]:
        head = self._byte()
        size = head >> 4 if head >> 4 != 0x0F else self._varint()
        if size > len(self._data) - self._at:
            raise ValueError(f"a list claims {size} items")
        return [self._value(head & 0x0F, depth + 1) for _ in range(size)]

    def _map(self, depth: int) -> list[Value]:
        size = self._varint()
        kinds = self._byte() if size else 0
        if size > len(self._data) - self._at:
            raise ValueError(f"a map claims {size} items")
        return [[self._value(kinds >> 4, depth + 1), self._value(kinds & 0x0F, depth + 1)] for _ in range(size)]

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _bytes(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise ValueError(f"{size} bytes are claimed")
        return self._data[start : self._at]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > _MOST_SHIFT:
                raise ValueError("a number has more than 64 bits")
        return value | byte << shift

    def _number(self) -> int:
        """A signed number, of which the lowest bit says the sign."""
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
