"""Values of Hubble events as columns of one type, whatever JSON a line has there; and which events are replies.

A field mask may leave out any field, and one odd line makes text of a whole column. Neither may cost the lines beside
it what they tell.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.dictionaries import one_array
from attribution.core.columnar.types import Column
from attribution.sources.records.json_values import Json, load
from attribution.sources.records.raw_columns import mask, text
from attribution.sources.records.timestamps import micros

#: The flags of a TCP header, the lowest bit first.
FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")
_TEXTS = pa.list_(pa.string())


def number(column: Column) -> Column:
    """Integers, null where the field is not there; Protocol Buffers leave out a zero."""
    array = one_array(column)
    return array.cast(pa.int64()) if pa.types.is_integer(array.type) else micros(array, "us")


def flag(column: Column) -> Column:
    """Booleans, null where there is none."""
    array = one_array(column)
    if pa.types.is_boolean(array.type):
        return array
    if array.null_count == len(array):
        return pa.nulls(len(array), pa.bool_())
    return pc.case_when(
        pc.make_struct(pc.equal(text(array), "true"), pc.equal(text(array), "false")), pa.scalar(True), pa.scalar(False)
    )


def first(parents: Column, items: Column, count: int) -> Column:
    """Of each of `count` lists its first item as text, given the list that each item is in; null where it has none."""
    rows, at = np.unique(np.asarray(parents), return_index=True)
    index = np.full(count, -1, np.int64)
    index[rows] = at
    return pc.take(text(items), pa.array(index, mask=index < 0))


def texts_in(column: Column, part: str | None = None) -> Column:
    """Lists of text; of objects in them the text under `part`. Null where there is no list.

    >>> texts_in(pa.array([[{"name": "web"}], None]), "name").to_pylist()
    [['web'], None]
    >>> texts_in(pa.array(['["a.example", 3]', "no list"])).to_pylist()
    [['a.example', None], None]
    """
    array = one_array(column)
    if array.null_count == len(array):
        return pa.nulls(len(array), _TEXTS)
    if part is None and array.type == _TEXTS:
        return array
    if pa.types.is_list(array.type):
        items = array.type.value_type
        if part is not None and pa.types.is_struct(items) and items.get_field_index(part) >= 0:
            found = text(pc.struct_field(pc.list_flatten(array), [part]))
            bounds = np.zeros(len(array) + 1, np.int32)
            np.cumsum(np.asarray(pc.fill_null(pc.list_value_length(array), 0)), out=bounds[1:])
            return pa.ListArray.from_arrays(pa.array(bounds), found, mask=pc.is_null(array))
    return pa.array([_texts(value, part) for value in text(array).to_pylist()], _TEXTS)


def _texts(value: str | None, part: str | None) -> list[str | None] | None:
    """The texts of one list that stands as JSON text."""
    if value is None or not value.startswith("["):
        return None
    try:
        items: Json = load(value)
    except (ValueError, RecursionError):
        return None
    if not isinstance(items, list):
        return None
    found = [item.get(part) if part is not None and isinstance(item, dict) else item for item in items]
    # Half of a surrogate pair, which no text can hold, becomes a question mark.
    return [item.encode("utf-8", "replace").decode() if isinstance(item, str) else None for item in found]


def replies(event: dict[str, Column]) -> Column:
    """Whether each event is a reply, null where nothing tells.

    Without `is_reply` the L7 type tells it (a request, a response), else the flags that open a TCP connection.
    The endpoint IDs do not tell it: where one end has none, a field mask may have left it out.
    """
    told = flag(event["is_reply"])
    if not told.null_count:
        return told
    kind = text(event["l7_type"])
    syn, ack = (mask(flag(event[name])) for name in ("SYN", "ACK"))
    sent, back = pc.equal(kind, "REQUEST"), pc.equal(kind, "RESPONSE")
    cases = pc.make_struct(sent, back, pa.array(syn & ~ack), pa.array(syn & ack))
    no, yes = pa.scalar(False), pa.scalar(True)
    return pc.coalesce(told, pc.case_when(cases, no, yes, no, yes))
