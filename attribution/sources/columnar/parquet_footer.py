"""The footer of a Parquet file, read and checked before Arrow is given the file.

Some versions of Arrow end the process if a footer contradicts itself, rather than raise an error. So what this project
asks of a footer is read here, by `parquet.thrift` of the Parquet format: the columns, the sizes of their chunks, and
the statistics of whole numbers.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

from attribution.sources.columnar.thrift import Struct, Value, read_struct

MAGIC = b"PAR1"
#: In the place of the magic number where the footer itself is encrypted.
ENCRYPTED_MAGIC = b"PARE"
#: Physical types.
INT64, BYTE_ARRAY = 2, 6

_TAIL = 8
_OPTIONAL, _REPEATED = 1, 2
_TIMESTAMP = 8
_UNITS = {1: "ms", 2: "us", 3: "ns"}
_CONVERTED_UNITS = {9: "ms", 10: "us"}

_Kind = TypeVar("_Kind", bound="Value")


class EncryptedError(ValueError):
    """The file is encrypted, as a whole or in some of its columns."""


@dataclass(frozen=True)
class Chunk:
    """A column of a row group.

    Attributes:
        kind: its physical type.
        size: its bytes, decompressed.
        has_dictionary: whether it begins with a dictionary of its values.
        smallest: its smallest value as its bytes in the file, where the file says.
    """

    kind: int
    size: int
    has_dictionary: bool
    smallest: bytes | None


@dataclass(frozen=True)
class RowGroup:
    """Some rows of a file; `chunks` has those of its columns that are not nested, by name."""

    rows: int
    chunks: dict[str, Chunk]


@dataclass(frozen=True)
class Footer:
    """What a file says of itself.

    Attributes:
        names: of its columns; those of nested columns as well.
        units: of the timestamps among its columns: name -> `ms`, `us` or `ns`.
        row_groups: in the order of their rows.
    """

    names: tuple[str, ...]
    units: dict[str, str]
    row_groups: tuple[RowGroup, ...]


@dataclass(frozen=True)
class _Leaf:
    """A column of values: its path, its physical type, and the highest of its repetition and definition levels."""

    path: list[bytes]
    kind: int
    repetition: int
    definition: int


def read_footer(file: BinaryIO) -> Footer:
    """The footer of a file that can seek.

    Raises:
        EncryptedError: the file is encrypted.
        ValueError: it is no Parquet file, or its footer is damaged.
        OSError: the file cannot be read.
    """
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - _TAIL))
    tail = file.read(_TAIL)
    if tail.endswith(ENCRYPTED_MAGIC):
        raise EncryptedError("its footer is encrypted")
    size = int.from_bytes(tail[:4], "little")
    if not tail.endswith(MAGIC) or size + _TAIL + len(MAGIC) > end:
        raise ValueError("it starts as Parquet but has no readable end")
    start = end - _TAIL - size
    file.seek(start)
    try:
        return _footer(read_struct(file.read(size)), start)
    except EncryptedError:
        raise
    except ValueError as error:
        raise ValueError(f"its footer is damaged: {error}") from None


def _footer(found: Struct, data_end: int) -> Footer:
    if 8 in found or 9 in found:
        raise EncryptedError("its columns are encrypted")
    elements = [_of(element, dict, "a schema element") for element in _need(found, 2, list)]
    if not elements:
        raise ValueError("it has no schema")
    places = iter(elements)
    columns: list[tuple[Struct, list[_Leaf]]] = []
    for _ in range(_integer(next(places), 5)):
        element = next(places, None)
        if element is None:
            raise ValueError("its schema lacks a column")
        columns.append((element, list(_leaves(element, places, [], 0, 0))))
    if next(places, None) is not None:
        raise ValueError("its schema has columns beside its root")
    leaves = [leaf for _, of_column in columns for leaf in of_column]
    groups = [_row_group(_of(group, dict, "a row group"), leaves, data_end) for group in _need(found, 4, list)]
    if sum(group.rows for group in groups) != _integer(found, 3):
        raise ValueError("its row groups have not as many rows as the file")
    units = {_name(element): unit for element, _ in columns if (unit := _unit(element))}
    return Footer(tuple(_name(element) for element, _ in columns), units, tuple(groups))


def _leaves(
    element: Struct, places: Iterator[Struct], path: list[bytes], repetition: int, definition: int
) -> Iterator[_Leaf]:
    path = [*path, _need(element, 4, bytes)]
    repeats = _integer(element, 3)
    repetition, definition = repetition + (repeats == _REPEATED), definition + (repeats in (_OPTIONAL, _REPEATED))
    if 1 in element:
        yield _Leaf(path, _integer(element, 1), repetition, definition)
        return
    if len(path) > 64:
        raise ValueError("its columns are nested more than 64 deep")
    for _ in range(_integer(element, 5)):
        child = next(places, None)
        if child is None:
            raise ValueError("its schema lacks a column")
        yield from _leaves(child, places, path, repetition, definition)


def _row_group(group: Struct, leaves: list[_Leaf], data_end: int) -> RowGroup:
    rows, chunks = _integer(group, 3), _need(group, 1, list)
    if len(chunks) != len(leaves):
        raise ValueError(f"a row group has {len(chunks)} columns, and the schema {len(leaves)}")
    found = {}
    for leaf, chunk in zip(leaves, chunks, strict=True):
        checked = _chunk(_of(chunk, dict, "a column"), leaf, data_end)
        if len(leaf.path) == 1:
            found[leaf.path[0].decode()] = checked
    return RowGroup(rows, found)


def _chunk(chunk: Struct, leaf: _Leaf, data_end: int) -> Chunk:
    name = b".".join(leaf.path).decode()
    if 8 in chunk or 9 in chunk:
        raise EncryptedError(f"its column {name} is encrypted")
    meta = _need(chunk, 3, dict)
    if _need(meta, 3, list) != leaf.path or _integer(meta, 1) != leaf.kind:
        raise ValueError(f"the column {name} is another one in a row group than in the schema")
    first, stored = _need(meta, 9, int), _integer(meta, 7)
    dictionary = _need(meta, 11, int) if 11 in meta else 0
    start = min((place for place in (first, dictionary) if place > 0), default=0)  # without rows, it has no pages
    if stored and not (0 < start <= start + stored <= data_end and first < data_end):
        raise ValueError(f"the column {name} lies outside of the file")
    _check_levels(meta, leaf, name)
    return Chunk(leaf.kind, _integer(meta, 6), dictionary > 0, _smallest(meta))


def _check_levels(meta: Struct, leaf: _Leaf, name: str) -> None:
    """Its histograms of levels must have a place for each level, or none at all."""
    sizes = _need(meta, 16, dict) if 16 in meta else {}
    for field, highest in ((2, leaf.repetition), (3, leaf.definition)):
        counts = _need(sizes, field, list) if field in sizes else []
        if len(counts) not in (0, highest + 1) or not all(isinstance(count, int) for count in counts):
            raise ValueError(f"the column {name} has {len(counts)} counts of levels, not {highest + 1}")


def _smallest(meta: Struct) -> bytes | None:
    statistics = _need(meta, 12, dict) if 12 in meta else {}
    for field in (6, 2):  # the second one by older writers, who ordered whole numbers alike
        if field in statistics:
            return _need(statistics, field, bytes)
    return None


def _unit(element: Struct) -> str | None:
    """The unit of a column of timestamps; None for other columns."""
    logical = element.get(10)
    timestamp = logical.get(_TIMESTAMP) if isinstance(logical, dict) else None
    unit = timestamp.get(2) if isinstance(timestamp, dict) else None
    if isinstance(unit, dict):
        return next((name for number, name in _UNITS.items() if number in unit), None)
    return _CONVERTED_UNITS.get(_integer(element, 6)) if 6 in element else None


def _name(element: Struct) -> str:
    return _need(element, 4, bytes).decode()


def whole_number(value: bytes) -> int | None:
    """A value of the physical type `INT64`; None where its bytes are none."""
    return int(struct.unpack("<q", value)[0]) if len(value) == 8 else None


def _integer(found: Struct, field: int) -> int:
    """A whole number in a field, zero or more: a footer has no others."""
    value = _need(found, field, int)
    if value < 0:
        raise ValueError(f"field {field} is {value}")
    return value


def _need(found: Struct, field: int, kind: type[_Kind]) -> _Kind:
    if field not in found:
        raise ValueError(f"it lacks field {field}")
    return _of(found[field], kind, f"field {field}")


def _of(value: Value, kind: type[_Kind], what: str) -> _Kind:
    if not isinstance(value, kind):
        raise ValueError(f"{what} is no {kind.__name__}")  # noqa: TRY004 - the file is at fault, not the code
    return value
