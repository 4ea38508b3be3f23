"""Plain IPv6 text to numbers, all rows of a column at once.

Example: a double colon stands for as many zero groups as are missing.

>>> high, low = parse(pa.array(["2001:db8::1", "::"]))
>>> [hex(number) for number in (*high, *low)]
['0x20010db800000000', '0x0', '0x1', '0x0']
"""

import numpy as np
import pyarrow as pa

from attribution.core.columnar.arrays import text_blocks
from attribution.core.columnar.types import Bool, Int64, UInt8, UInt16, UInt64

_COLON, _ZERO, _A = ord(":"), ord("0"), ord("a")
_GROUPS, _GROUP_DIGITS = 8, 4
#: Rows parsed at a time: what is in between stays in the processor's cache.
_CACHED_ROWS = 1 << 13


def parse(texts: pa.Array) -> tuple[UInt64, UInt64] | None:
    """Every row's address as the halves of its 128 bits, if *all* rows are plain IPv6; else None.

    Plain text has groups of one to four lower-case hexadecimal digits between single colons. At most once a double
    colon stands for one or more groups that are zero.

    Args:
        texts: a column; anything but plain text without nulls gives None.
    """
    if not pa.types.is_string(texts.type) or texts.null_count:
        return None
    halves = np.empty((len(texts), 2), np.uint64)
    for begin, characters, bounds in text_blocks(texts, _CACHED_ROWS):
        some = _parse_some(characters, bounds)
        if some is None:
            return None
        halves[begin : begin + _CACHED_ROWS] = some
    return halves[:, 0].copy(), halves[:, 1].copy()


def _parse_some(characters: UInt8, bounds: Int64) -> UInt64 | None:
    """The addresses between neighbouring bounds, a row of two halves for each; None if a text is no address."""
    begins, stops = bounds[:-1], bounds[1:] - 1
    if (stops < begins).any():
        return None
    colon = characters == _COLON
    digit = ((characters - np.uint8(_ZERO)) <= 9) | ((characters - np.uint8(_A)) <= 5)
    if not (digit | colon).all():
        return None
    goes_on = np.ones(len(characters), np.bool_)  # the row of the character before
    goes_on[begins] = False
    last = digit.copy()  # digits of a group that end it
    last[:-1] &= colon[1:] | ~goes_on[1:]
    double = np.zeros(len(characters), np.bool_)  # the first colons of two
    double[:-1] = colon[:-1] & colon[1:] & goes_on[1:]
    if (colon[begins] & ~double[begins]).any() or (colon[stops] & ~double[np.maximum(stops - 1, begins)]).any():
        return None
    numbers = _groups(characters, digit & goes_on, last)
    if numbers is None:
        return None
    ends, gaps = np.flatnonzero(last), np.flatnonzero(double)
    edges = np.searchsorted(ends, bounds)
    before, groups = edges[:-1], np.diff(edges)
    gap_row = np.searchsorted(bounds, gaps, side="right") - 1
    shortened = np.zeros(len(groups), np.bool_)
    shortened[gap_row] = True
    if (gap_row[1:] == gap_row[:-1]).any() or np.where(shortened, groups >= _GROUPS, groups != _GROUPS).any():
        return None
    # Groups after a double colon count from the end.
    gap_at = np.full(len(groups), _GROUPS)
    gap_at[gap_row] = np.searchsorted(ends, gaps) - before[gap_row]
    row = np.repeat(np.arange(len(groups)), groups)
    place = np.arange(len(ends)) - before[row]
    place += np.where(place < gap_at[row], 0, _GROUPS - groups[row])
    packed = np.zeros(len(groups) * _GROUPS, ">u2")
    packed[row * _GROUPS + place] = numbers
    return packed.view(">u8").astype(np.uint64).reshape(-1, 2)


def _groups(characters: UInt8, goes_on: Bool, last: Bool) -> UInt16 | None:
    """The number of each group of digits; None if a group has too many digits.

    Args:
        characters: digits and colons.
        goes_on: digits that belong to the same row as the character before.
        last: the last digits of groups.
    """
    value = (characters & np.uint8(15)) + (characters >> np.uint8(6)) * np.uint8(9)
    number = value.astype(np.uint16)
    follows = goes_on.copy()  # digits after one of their own group
    follows[1:] &= characters[:-1] != _COLON
    run = follows.copy()
    for shift in range(1, _GROUP_DIGITS):
        number[shift:] |= (value[:-shift] * run[shift:]).astype(np.uint16) << np.uint16(4 * shift)
        run[1:] = follows[1:] & run[:-1]
    return None if run.any() else number[last]
