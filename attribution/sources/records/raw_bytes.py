"""Bytes of a fixed length as the text that they stand for: identifiers of 16 bytes, and addresses of 4 or 16.

Some writers put text into such columns all the same. Sixteen bytes that are printable ASCII are therefore text: no UUID
of RFC 9562 is, since its ninth byte is none of ASCII.
"""

import ipaddress

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_UUID_BYTES, _UUID_TEXT = 16, 36
#: Where the digits of each byte of a UUID stand in its text; hyphens stand between them.
_DIGITS = np.array([0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34])
_FIRST_PRINTABLE, _LAST_PRINTABLE = 0x20, 0x7E
_PADDING = b" \0"


def uuids(column: pa.FixedSizeBinaryArray) -> pa.Array:
    """Canonical text of UUIDs, which are 16 bytes each; null stays null.

    >>> uuids(pa.array([bytes(range(16)), None], pa.binary(16))).to_pylist()
    ['00010203-0405-0607-0809-0a0b0c0d0e0f', None]
    """
    found = _bytes(column)
    texts = np.full((len(found), _UUID_TEXT), ord("-"), np.uint8)
    texts[:, _DIGITS] = _HEX[found >> 4]
    texts[:, _DIGITS + 1] = _HEX[found & 0x0F]
    bounds = np.arange(0, texts.size + 1, _UUID_TEXT, dtype=np.int32)
    made = pa.StringArray.from_buffers(len(found), pa.py_buffer(bounds), pa.py_buffer(texts))
    return made if not column.null_count else pc.if_else(column.is_valid(), made, pa.scalar(None, pa.string()))


def identifiers(column: pa.FixedSizeBinaryArray) -> pa.Array:
    """Text of identifiers of 16 bytes: the text that they are, or else that of UUIDs.

    >>> identifiers(pa.array([b"sixteen-letters.", bytes(16)], pa.binary(16))).to_pylist()
    ['sixteen-letters.', '00000000-0000-0000-0000-000000000000']
    """
    found = _bytes(column)
    printable = ((found >= _FIRST_PRINTABLE) & (found <= _LAST_PRINTABLE)).all(axis=1)
    if not printable.any():
        return uuids(column)
    plain = pc.if_else(pa.array(printable), column.cast(pa.binary()), pa.scalar(None, pa.binary()))
    return pc.coalesce(plain.cast(pa.string()), uuids(column))


def addresses(column: pa.FixedSizeBinaryArray) -> pa.Array:
    """Addresses of 4 or 16 bytes in network order, as text; 16 bytes that are text, perhaps padded, are that text.

    >>> addresses(pa.array([bytes([10, 0, 0, 1]), None], pa.binary(4))).to_pylist()
    ['10.0.0.1', None]
    """
    distinct = column.cast(pa.binary()).dictionary_encode()
    texts = pa.array([_address(value) for value in distinct.dictionary.to_pylist()], pa.string())
    return texts.take(distinct.indices)


def _address(value: bytes) -> str:
    text = value.rstrip(_PADDING)
    if len(value) == _UUID_BYTES and text and all(_FIRST_PRINTABLE <= byte <= _LAST_PRINTABLE for byte in text):
        return text.decode("ascii")
    return str(ipaddress.ip_address(value))


def _bytes(column: pa.FixedSizeBinaryArray) -> npt.NDArray[np.uint8]:
    """The bytes of 16-byte values, a row each; those of nulls are anything."""
    size = _UUID_BYTES
    data = column.buffers()[1]
    if data is None:
        return np.zeros((len(column), size), np.uint8)
    return np.frombuffer(data, np.uint8, size * len(column), size * column.offset).reshape(-1, size)
