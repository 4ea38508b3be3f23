"""Logs with the faults of real logs and of hostile ones: in values, in bytes, in lines.

Every choice is that of a `random.Random`, so that a seed or Hypothesis can make it.
"""

import json
import random
from copy import deepcopy


class Raw(str):
    """JSON text that is written as it stands."""

    __slots__ = ()


class Object(list):
    """A JSON object as its pairs, so that one key can stand there twice."""


#: What may stand in any place of a JSON row.
ODD = (
    None, True, False, 0, -1, 3, 1.5, 2**31, 2**63, 2**64, 10**30, -(10**30), "", " ", "-", "text", "a\nb", "\ud800",
    "\u0000", "9" * 40, Raw("1e400"), Raw("-1e400"), Raw("NaN"), Raw("Infinity"), Raw("-Infinity"), Raw("1E5"),
    Raw("-0"), [], [None], ["a", 1], [[]], ["\udfff"], [Object([["x", [1]]])], Object([]),
    Object([["a", Object([])]]), Object([["", None]]), Object([["a", 1], ["a", "b"]]), Object([["\udc00", "\ud800"]]),
    Raw("9" * 5000), Raw("[" * 100 + "]" * 100), Raw('{"a":' * 200 + "1" + "}" * 200), Raw("[" * 5000 + "]" * 5000),
)  # fmt: skip
#: What may stand in the place of a JSON row.
ODD_ROWS = (  # none is as long as what is looked at to recognise a log
    "[]", "null", "3", '"text"', "{}", "[{}]", "1e400", "[[1]]", '"\\ud800"', '{"\\ud800": 1}', "9" * 5000, "NaN",
    "[" * 500 + "]" * 500, "[" * 2000 + "]" * 2000, '{"a":' * 2000 + "1" + "}" * 2000, '{"a":' * 500 + "1" + "}" * 500,
)  # fmt: skip
#: What may stand in any cell of a row of text.
ODD_CELLS = (
    "", "-", "(empty)", "abc", "-1", "1.5", "2147483648", "9223372036854775808", "1" + "0" * 30, "1e400", "NaN", "é",
    '"', "'", "{}", "[1]", "\\x09", "\\", "0x10", ",", "10.0.0.300", "::1", "null", "true", "a b", "a\tb", "\ufeff",
)  # fmt: skip
#: What may stand between any two bytes of a log.
ODD_BYTES = (
    b"\0", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"\\", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\r", b"\n",
    b"\r\n", b"\n\n", b"\xef\xbb\xbf", b"\xc2\x85", b"\xe2\x80\xa8", b"\x1a", b"#", b"\t", b" ", b"-", b"9" * 400,
    b"1e400", b"NaN", b"[" * 2000, b'{"a":' * 300, b"null", b"\x1f\x8b",
)  # fmt: skip

#: What may stand anywhere in a table of text.
ODD_BITS = (b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"9" * 30, b"-", b"{", b"1e400", b"nan", b'"a"b"')

_FAULTS = ("odd", "odd", "in list", "in object", "as text", "cut", "gone", "doubled", "renamed", "swapped")


def parsed(value):
    """A value whose objects are `Object`s, changed in place by `broken`."""
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


def json_row(rng, row):
    """JSON text of a row with one to three faults."""
    value = parsed(row)
    for _ in range(rng.randint(1, 3)):
        holders = list(_holders(value))
        if not holders:
            break
        _break(rng, rng.choice(holders))
    return rng.choice([*ODD_ROWS, written([value])]) if rng.randint(0, 14) == 0 else written(value)


def _break(rng, holder):
    at = rng.randint(0, len(holder) - 1)
    pairs = isinstance(holder, Object)
    found = holder[at][1] if pairs else holder[at]
    odd = deepcopy(rng.choice(ODD))
    fault = rng.choice(_FAULTS)
    if fault == "gone":
        del holder[at]
    elif fault == "doubled":
        value = deepcopy(rng.choice([found, odd]))
        holder.insert(rng.randint(0, len(holder)), [holder[at][0], value] if pairs else value)
    elif fault == "renamed" and pairs:
        names = ["", "x", "\ud800", holder[at][0].swapcase(), holder[at][0] + "\u0000"]
        holder[at][0] = rng.choice(names)
    elif fault == "swapped" and pairs:
        other = rng.choice(holder)
        holder[at][1], other[1] = other[1], holder[at][1]
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


def text_row(rng, row, separator):
    """A row of cells with one to three faults; never blank, a comment, or several lines."""
    cells = row.split(separator)
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(cells) - 1)
        fault = rng.choice(["odd", "odd", "odd", "gone", "more", "cut"])
        if fault == "gone" and len(cells) > 1:
            del cells[at]
        elif fault == "more":
            cells.insert(at, rng.choice(ODD_CELLS))
        else:
            cells[at] = cells[at][: len(cells[at]) // 2] if fault == "cut" else rng.choice(ODD_CELLS)
    text = separator.join(cells)
    return text if text.strip() and not text.startswith("#") else row


def broken_bytes(rng, content):
    """Content with one to three faults in its bytes: bits flipped, bytes more or gone, an end too early."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, max(0, len(content) - 1))
        fault = rng.choice(["flip", "flip", "odd", "odd", "gone", "again", "cut"])
        if fault == "flip" and content:
            content = content[:at] + bytes([content[at] ^ 1 << rng.randint(0, 7)]) + content[at + 1 :]
        elif fault == "odd":
            content = content[:at] + rng.choice(ODD_BYTES) + content[at + rng.randint(0, 1) :]
        elif fault == "gone":
            content = content[:at] + content[at + rng.randint(1, 40) :]
        elif fault == "again":
            content = content[:at] + content[at : at + rng.randint(1, 40)] + content[at:]
        elif fault == "cut":
            content = content[:at]
    return content


def with_odd_bits(content, seed, *more):
    """Bytes of a table with a few of `ODD_BITS`, or of more, put in or in the place of others; alike for one seed."""
    choice, changed = random.Random(seed), bytearray(content)
    for _ in range(choice.randint(1, 4)):
        place = choice.randrange(len(changed))
        changed[place : place + choice.choice([0, 0, 3, 40])] = choice.choice((*ODD_BITS, *more))
    return bytes(changed)
