"""Rows of logs with the faults of real logs: types, nesting, nulls, huge numbers, doubled and missing keys."""

import json
from copy import deepcopy

from hypothesis import strategies as st


class Raw(str):
    """JSON text that is written as it stands."""

    __slots__ = ()


class Object(list):
    """A JSON object as its pairs, so that one key can stand there twice."""


#: What may stand in any place of a JSON row.
ODD = (
    None, True, False, 0, -1, 3, 1.5, 2**31, 2**63, 2**64, 10**30, -(10**30), "", " ", "-", "text", "a\nb", "\ud800",
    "\u0000", "9" * 40, Raw("1e400"), Raw("-1e400"), Raw("NaN"), Raw("1E5"), Raw("-0"), [], [None], ["a", 1], [[]],
    [Object([["x", [1]]])], Object([]), Object([["a", Object([])]]), Object([["", None]]),
    Object([["a", 1], ["a", "b"]]),
)  # fmt: skip
#: What may stand in any cell of a row of text.
ODD_CELLS = (
    "", "-", "(empty)", "abc", "-1", "1.5", "2147483648", "9223372036854775808", "1" + "0" * 30, "1e400", "NaN", "é",
    '"', "'", "{}", "[1]", "\\x09", "\\", "0x10", ",", "10.0.0.300", "::1", "null", "true", "a b", "a\tb", "\ufeff",
)  # fmt: skip

_FAULTS = ("odd", "odd", "in list", "in object", "as text", "cut", "gone", "doubled", "renamed")


def parsed(value):
    """A value whose objects are `Object`s, changed in place by `mutate`."""
    if isinstance(value, dict):
        return Object([[key, parsed(inner)] for key, inner in value.items()])
    return [parsed(inner) for inner in value] if isinstance(value, list) else value


def written(value):
    """JSON text of such a value."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Object):
        return "{" + ", ".join(f"{json.dumps(key)}: {written(inner)}" for key, inner in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return json.dumps(value)


def _holders(value):
    """Every object and list with something in it."""
    inner = [pair[1] for pair in value] if isinstance(value, Object) else value if isinstance(value, list) else []
    if inner:
        yield value
    for one in inner:
        yield from _holders(one)


@st.composite
def json_rows(draw, row):
    """JSON text of a row with one to three faults."""
    value = parsed(row)
    for _ in range(draw(st.integers(1, 3))):
        holders = list(_holders(value))
        if not holders:
            break
        _break(draw, draw(st.sampled_from(holders)))
    if draw(st.integers(0, 19)) == 0:
        return draw(st.sampled_from(["[]", "null", "3", '"text"', "{}", "[{}]", "1e400", "[[1]]", written([value])]))
    return written(value)


def _break(draw, holder):
    at = draw(st.integers(0, len(holder) - 1))
    pairs = isinstance(holder, Object)
    found = holder[at][1] if pairs else holder[at]
    odd = deepcopy(draw(st.sampled_from(ODD)))
    fault = draw(st.sampled_from(_FAULTS))
    if fault == "gone":
        del holder[at]
    elif fault == "doubled":
        value = deepcopy(draw(st.sampled_from([found, odd])))
        holder.insert(draw(st.integers(0, len(holder))), [holder[at][0], value] if pairs else value)
    elif fault == "renamed" and pairs:
        holder[at][0] = draw(st.sampled_from(["", "x", holder[at][0].swapcase(), holder[at][0] + "\u0000"]))
    else:
        new = {
            "in list": [found],
            "in object": Object([["x", found]]),
            "as text": json.dumps(found) if isinstance(found, str | int) else written(found),
            "cut": found[: len(found) // 2] if isinstance(found, str) else odd,
        }.get(fault, odd)
        if pairs:
            holder[at][1] = new
        else:
            holder[at] = new


@st.composite
def text_rows(draw, row, separator):
    """A row of cells with one to three faults; never blank, a comment, or several lines."""
    cells = row.split(separator)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(cells) - 1))
        fault = draw(st.sampled_from(["odd", "odd", "odd", "gone", "more", "cut"]))
        if fault == "gone" and len(cells) > 1:
            del cells[at]
        elif fault == "more":
            cells.insert(at, draw(st.sampled_from(ODD_CELLS)))
        else:
            cells[at] = cells[at][: len(cells[at]) // 2] if fault == "cut" else draw(st.sampled_from(ODD_CELLS))
    text = separator.join(cells)
    return text if text.strip() and not text.startswith("#") else row
