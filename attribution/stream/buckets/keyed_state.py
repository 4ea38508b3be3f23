"""Flink's file of keyed state in a savepoint of the canonical format, with other keys.

The file is a header, then for each key group its entries. An entry is a key and a value, both with their lengths before
them. A key is the number of the key group, the key proper, and what tells the entries of one key apart. Between the
entries of two states stands the number of the next state. The highest bit of a key says that such a number follows, or
the mark that ends the group. (Flink: `FullSnapshotAsyncWriter`, `FullSnapshotRestoreOperation`.)
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from attribution.errors import ConfigError

#: Most key groups whose number takes one byte.
_ONE_BYTE = 128
#: The key proper: a byte of flags, and the one number of its row.
_KEY = struct.Struct(">bi")
_LENGTH, _STATE = struct.Struct(">i"), struct.Struct(">H")
#: In a timer, before the key proper.
_TIME = struct.Struct(">q")
_END = 0xFFFF
_FOLLOWED = 0x80
#: Where the header says whether entries are compressed.
_COMPRESSED_AT = 4


@dataclass(frozen=True)
class Entry:
    """An entry of a keyed state.

    Attributes:
        state: number of the state, as the header of its file has it.
        key: the number that the key proper is a row of.
        head: the flags of that row.
        rest: what tells the entries of one key apart.
        value: the value; empty for a timer, whose time is left out.
    """

    state: int
    key: int
    head: int
    rest: bytes
    value: bytes


def read_entries(content: bytes, offsets: Sequence[int], *, groups: int) -> Iterator[Entry]:
    """The entries of a file.

    Args:
        content: the file.
        offsets: where each key group begins; 0 for a group without entries.
        groups: number of key groups of the job.

    Raises:
        ConfigError: the entries are compressed.
    """
    if content[_COMPRESSED_AT]:
        raise ConfigError(
            "the savepoint's state is compressed: start the old job from it with "
            "execution.checkpointing.snapshot-compression: false, and stop the job with a savepoint again"
        )
    prefix = 1 if groups <= _ONE_BYTE else 2
    for offset in offsets:
        if offset:
            yield from _entries_of_group(content, offset, prefix)


def _entries_of_group(content: bytes, at: int, prefix: int) -> Iterator[Entry]:
    (state,) = _STATE.unpack_from(content, at)
    at += _STATE.size
    while state != _END:
        key, at = _sized(content, at)
        value, at = _sized(content, at)
        begin = prefix if value else prefix + _TIME.size
        head, number = _KEY.unpack_from(key, begin)
        yield Entry(state, number, head, key[begin + _KEY.size :], value)
        if key[0] & _FOLLOWED:
            (state,) = _STATE.unpack_from(content, at)
            at += _STATE.size


def _sized(content: bytes, at: int) -> tuple[bytes, int]:
    (size,) = _LENGTH.unpack_from(content, at)
    begin = at + _LENGTH.size
    return content[begin : begin + size], begin + size


def header(content: bytes, offsets: Sequence[int]) -> bytes:
    """What a file begins with: serializers and names of states."""
    return content[: min((offset for offset in offsets if offset), default=len(content))]


def write_entries(
    head: bytes, entries: Sequence[Entry], group_of: Callable[[int], int], *, first: int, last: int, groups: int
) -> tuple[bytes, list[int]]:
    """A file with the entries of a range of key groups, and where each of these begins.

    Args:
        head: the header.
        entries: all entries, without timers; those of other key groups are left out.
        group_of: the key group of a key.
        first: the first key group.
        last: the last one.
        groups: number of key groups of the job.
    """
    mine: dict[int, list[Entry]] = {}
    for entry in entries:
        group = group_of(entry.key)
        if first <= group <= last:
            mine.setdefault(group, []).append(entry)
    parts, size, offsets = [head], len(head), [0] * (last - first + 1)
    for group, found in sorted(mine.items()):
        offsets[group - first] = size
        packed = _pack_group(group, sorted(found, key=lambda entry: entry.state), 1 if groups <= _ONE_BYTE else 2)
        parts.append(packed)
        size += len(packed)
    return b"".join(parts), offsets


def _pack_group(group: int, entries: Sequence[Entry], prefix: int) -> bytes:
    parts = [_STATE.pack(entries[0].state)]
    following = [*(entry.state for entry in entries[1:]), _END]
    for entry, state in zip(entries, following, strict=True):
        key = bytearray(group.to_bytes(prefix, "big") + _KEY.pack(entry.head, entry.key) + entry.rest)
        if state != entry.state:
            key[0] |= _FOLLOWED
        parts += [_LENGTH.pack(len(key)), bytes(key), _LENGTH.pack(len(entry.value)), entry.value]
        if state != entry.state:
            parts.append(_STATE.pack(state))
    return b"".join(parts)
