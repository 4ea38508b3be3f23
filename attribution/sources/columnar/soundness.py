"""Arrow columns from others, checked down to each value: after that, they can be computed with.

Arrow takes the offsets, indices and text of a file or a message for granted. What is wrong there ends a process, or
shows much later as another row's text.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import DICTIONARY
from attribution.sources.records.raw_bytes import uuids

#: Types that hold text, or what should be text.
TEXTS = {pa.string(), pa.large_string(), pa.binary(), pa.large_binary()}
#: Text that older versions of Arrow can hold, but not compute with.
VIEWS = {pa.string_view(), pa.binary_view()}
#: Name of the extension type of UUIDs.
_UUID = "arrow.uuid"
_NO_TEXT = b"\xff damaged"
#: Bytes of text that the rows of one array may have once each has its own.
LARGEST_TEXT = 128 << 20

_AS_BYTES = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}


class TooLargeError(ValueError):
    """Rows share text that would not fit into memory if each had its own."""


def sound(part: pa.Array, *, limit: int = LARGEST_TEXT, distinct: bool = False) -> pa.Array:
    """The array once every offset, index and text of it was checked.

    Text that is no UTF-8 is binary. Views are plain text, runs are rows, UUIDs are their text, and other extension
    types are what they are stored as. A dictionary holds each value once, or the rows are plain: two codes must not
    stand for one value. Lists that are views, or have views in them, are bytes that are no text: no field can be these.

    Args:
        part: any array.
        limit: bytes that the text of all rows may have, where rows share it: in views, and in dictionaries.
        distinct: whether its dictionary is known to hold each value once, as one that Arrow made while it read Parquet.

    Raises:
        pa.ArrowInvalid: it is damaged.
        TooLargeError: its text has more than `limit` bytes.
    """
    kind = part.type
    if pa.types.is_dictionary(kind):
        return _dictionary(part, limit, distinct=distinct)
    if isinstance(kind, pa.BaseExtensionType):
        stored = sound(part.storage, limit=limit)
        return uuids(stored) if kind.extension_name == _UUID and stored.type == pa.binary(16) else stored
    try:
        part.validate(full=True)
    except pa.ArrowInvalid:
        part = _without_text(part)
    if pa.types.is_run_end_encoded(kind):
        # Each of its runs may have the longest text.
        check_size(_longest(sound(part.values, limit=limit)) * len(part), limit)
        return sound(pc.run_end_decode(part), limit=limit)
    if pa.types.is_nested(kind) and "_view" in str(kind):  # which older versions of Arrow can hold, but not filter
        return _opaque(part)
    return _without_views(part, limit) if part.type in VIEWS else part


def _without_text(part: pa.Array) -> pa.Array:
    """An array that is not sound as it stands, with bytes in the place of text.

    Where the fault lies in text inside of something that no field can be, each of its rows is bytes that are no text.
    """
    part.validate()
    if part.type == pa.date64():  # a moment of a day, which Arrow calls no date
        return part.view(pa.timestamp("ms"))
    kind = with_bytes(part.type)
    nested = pa.types.is_nested(kind) and not pa.types.is_run_end_encoded(kind)
    try:
        found = part.view(kind)
        found.validate(full=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        if not nested:
            raise
        return _opaque(part)
    return found


def _opaque(part: pa.Array) -> pa.Array:
    """Bytes that are no text in the place of each value."""
    known = part.is_valid().to_numpy(zero_copy_only=False)
    return pa.array([_NO_TEXT] * len(part), pa.binary(), mask=~known)


def with_bytes(kind: pa.DataType) -> pa.DataType:
    """The type with bytes in the place of text, and that of its values for a dictionary.

    Plain arrays of both types look alike in memory.
    """
    if kind in _AS_BYTES:
        return _AS_BYTES[kind]
    if pa.types.is_dictionary(kind):
        return pa.binary()
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(with_bytes(kind.value_type)))
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(with_bytes(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([part.with_type(with_bytes(part.type)) for part in kind])
    return kind


def check_size(size: int, limit: int) -> None:
    """Pass texts of so many bytes.

    Raises:
        TooLargeError: they are more than `limit`.
    """
    if size > limit:
        raise TooLargeError(f"its text has {size} bytes; {limit} are allowed")


def _without_views(part: pa.Array, limit: int) -> pa.Array:
    """The text itself; any number of views may show the same long text, so its size is added up first."""
    lengths = np.frombuffer(part.buffers()[1], "<i4", 4 * (part.offset + len(part)))[4 * part.offset :: 4]
    check_size(int(lengths[part.is_valid().to_numpy(zero_copy_only=False)].sum(dtype=np.int64)), limit)
    kind = pa.string() if part.type == pa.string_view() else pa.binary()
    try:
        return part.cast(kind)
    except pa.ArrowNotImplementedError:
        return pa.array(part.to_pylist(), kind)


def _longest(part: pa.Array) -> int:
    """Bytes of the longest text; of numbers none."""
    texts = part.dictionary if pa.types.is_dictionary(part.type) else part
    return (pc.max(pc.binary_length(texts)).as_py() or 0) if texts.type in TEXTS else 0


def _dictionary(part: pa.DictionaryArray, limit: int, *, distinct: bool) -> pa.Array:
    rows, values = sound(part.indices), sound(part.dictionary, limit=limit)
    codes = (pc.fill_null(rows, 0) if rows.null_count else rows).to_numpy(zero_copy_only=False)
    # Without its sign, a negative index is a high one.
    if rows.null_count < len(rows) and int(codes.view(f"u{codes.itemsize}").max()) >= len(values):
        raise pa.ArrowInvalid("an index lies outside of its dictionary")
    if distinct and part.type == DICTIONARY and values.type == DICTIONARY.value_type:
        return part
    rows = rows.cast(pa.int32())
    if values.type in TEXTS:
        longest = pc.max(pc.binary_length(values)).as_py() or 0
        if longest * len(rows) > limit:
            check_size(pc.sum(pc.binary_length(values).take(rows)).as_py() or 0, limit)
    if values.type not in (pa.string(), pa.large_string()):
        return values.take(rows)
    values = values.cast(DICTIONARY.value_type)
    if not distinct and (values.null_count or len(values.unique()) < len(values)):
        return values.take(rows)
    return pa.DictionaryArray.from_arrays(rows, values, safe=False)  # its indices were checked here
