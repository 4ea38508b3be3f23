"""Cutting JSON lines by their shape gives what a parser gives, or leaves the line to one."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.sources.json.cutting import ShapedLines
from attribution.sources.json.shapes import Shape

FIELDS = {"a": ("a",), "b": ("b",), "inner": ("o", "p"), "deep": ("o", "q", "r"), "x.y": ("x.y",)}


def cut(lines, fields=FIELDS, *, reader=None, final_newline=True):
    """Rows by line number as dictionaries, and the numbers of the lines left over."""
    block = b"\n".join(lines) + (b"\n" if final_newline else b"")
    found, rest = (reader or ShapedLines(fields)).read(block)
    rows = {}
    for columns, numbers in found:
        assert {len(column) for column in columns.values()} == {len(numbers)}
        table = pa.table(list(columns.values()), list(columns))
        rows.update(zip(numbers.tolist(), table.to_pylist(), strict=True))
    assert not set(rows) & set(rest.tolist())
    assert sorted([*rows, *rest.tolist()]) == list(range(len(lines)))
    return rows, rest.tolist()


def expected(line, fields=FIELDS):
    found = {}
    for name, path in fields.items():
        value = json.loads(line)
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        found[name] = value
    return found


def check(lines, *, left=(), **options):
    rows, rest = cut(lines, **options)
    assert rest == list(left)
    assert rows == {n: expected(line) for n, line in enumerate(lines) if n not in left}


@pytest.mark.parametrize("final_newline", [True, False])
def test_lines_of_one_shape_are_cut_whatever_the_length_of_their_values(final_newline):
    lines = [b'{"a":"%s","b":%d,"z":null}' % (b"x" * n, 10**n - 1) for n in range(20) if n != 19]
    check(lines, final_newline=final_newline)


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":"1","b":2,"o":{"p":"3","q":{"r":4}},"x.y":5}',
        b'{"o":{"q":{"r":"x"},"p":1},"a":"z"}',
        b'{ "a" : 1 , "b": "x" }',
        b'{"a": "x", "b": 17, "o": {"p": true}}\r',
        b'{"a":"","b":0,"list":["p","q",1],"x.y":""}',
        b'{"a":"\xc3\xa4\xe2\x82\xac","b":-5,"e":{},"l":[]}',
        b'{"l":[{"a":1},{"a":2}],"a":"outside","b":1}',
        b'{"a":{"a":"inner"},"b":"outer","o":null}',
        b'{"a":"colon: here","b":"{}[],","o":{"p":","}}',
        b'{"a" : ":x","b" : ":y", "filler" : ":"}',
    ],
)
def test_every_way_to_write_an_object_is_cut_or_left(line):
    rows, rest = cut([line] * 5)
    assert rows == {n: expected(line) for n in rows}
    # A space before the colon hides where the key ends, and a field that holds an object has no column.
    assert (rest == list(range(5))) == (b'" :' in line or isinstance(json.loads(line).get("a"), dict))


@pytest.mark.parametrize(
    ("value", "numbers"),
    [
        ("integers", [0, 7, 12345678, 123456789, 9999999999999999, 10**17, 9223372036854775807]),
        ("with null", [None, 5, None, 123456789]),
        ("negative", [-1, 0, 10**9]),
        ("doubles", [0.5, 3, 1e300, -2.5e-9]),
        ("booleans", [True, False, None]),
        ("nulls", [None, None]),
    ],
)
def test_numbers_keep_their_value_and_their_type(value, numbers):
    lines = [json.dumps({"padding": value, "a": number}).encode() for number in numbers]
    rows, rest = cut(lines, {"a": ("a",)})
    assert rest == []
    assert [rows[n]["a"] for n in range(len(lines))] == numbers
    assert {type(rows[n]["a"]) for n in range(len(lines))} <= {type(x) for x in numbers} | {float, type(None)}


@pytest.mark.parametrize(
    "token", [b"9223372036854775808", b"1" * 30, b"NaN", b"007", b"1,2", b"tru", b"0x10", b"+1", b""]
)
def test_what_is_no_number_of_64_bits_is_left_to_a_parser(token):
    rows, rest = cut([b'{"padding":"0123456789","a":%s}' % t for t in (b"1", token, b"3")])
    assert not rows
    assert rest == [0, 1, 2]


@pytest.mark.parametrize(
    "odd",
    [
        b'{"a":"x","b":1,"c":2}',
        b'{"b":"x","a":1,"z":"end"}',
        b'{"a":"x","b":"1","z":"end"}',
        b'{"a":"x","b":1,"z":"end"',
        b'{"a":"x","b":1,"z":"end"}}',
        b'{"a":"x" "y","b":1,"z":"end"}',
        b'{"a":"x\\"","b":1,"z":"end"}',
        b'{"a":"x\\u00e4","b":1,"z":"end"}',
        b'{"A":"x","b":1,"z":"end"}',
        b' {"a":"x","b":1,"z":"end"}',
        b'{"a":"x","b":1,"z":"end"} ',
        b'["a","b",1,"z","end"]',
        b"",
        b"{}",
        b"not JSON at all, of no shape",
        b'{"a":":x","b":1,"z":"end"}',
        b'{"a":":x","b":1}           ',
        b'{"a":"x","z":":end"}       ',
        b'"a":"x","b":1,"z":"end"}',
        b'{"a":"x","b":1,"z":"end","a":"twice"}',
    ],
)
def test_a_line_of_another_shape_is_cut_by_its_own_or_left_and_harms_no_other(odd):
    good = b'{"a":"%d","b":%d,"z":"end"}'
    lines = [good % (n, n) for n in range(5)] + [odd] + [good % (n, n) for n in range(5)]
    rows, rest = cut(lines)
    assert set(rest) <= {5}
    for number, row in rows.items():
        assert row == expected(lines[number])


def test_a_quotation_mark_too_many_is_seen_even_where_everything_else_agrees():
    line = b'{"a":"x","b":1,"z":"end"}'
    broken = b'{"a":"x" "y","b":1,"z":"end"}'
    assert cut([line] * 4 + [broken])[1] == [4]
    # The same number of marks in all: one line has two more, another two fewer.
    short = b'{"a":x,"b":1,"z":"end","q":"marks"}'
    rows, rest = cut([line, broken, line, short])
    assert set(rows) == {0, 2}
    assert rest == [1, 3]


def test_text_that_never_changes_is_encoded_once():
    found, _ = ShapedLines(FIELDS).read(b"".join(b'{"a":"same","b":"%d","c":12345}\n' % n for n in range(9)))
    ((columns, numbers),) = found
    assert columns["a"].type == pa.dictionary(pa.int32(), pa.string())
    assert columns["a"].dictionary.to_pylist() == ["same"]
    assert columns["b"].type == pa.string()
    assert columns["x.y"].null_count == len(numbers)


def test_shapes_are_kept_from_block_to_block():
    reader = ShapedLines(FIELDS)
    shapes = [b'{"a":"1","b":2,"filler":true}', b'{"b":3,"filler":"long enough"}', b'{"a":"only this one"}']
    for _ in range(3):
        check(shapes * 4, reader=reader)


def test_blocks_that_mostly_cannot_be_cut_are_not_tried_for_a_while():
    reader = ShapedLines(FIELDS)
    escaped = [b'{"a":"\\u0041","b":12345678}'] * 10
    assert cut(escaped, reader=reader)[1] == list(range(10))
    plain = [b'{"a":"A","b":123456789}'] * 10
    tried = [bool(cut(plain, reader=reader)[0]) for _ in range(40)]
    assert tried[0] is False
    assert tried[-1] is True


def test_a_shape_is_only_made_of_an_object_with_distinct_keys():
    assert Shape.of(b'{"a":1,"b":"0123456789"}') is not None
    for line in (
        b"",
        b"[1,2,3,4,5,6,7,8,9]",
        b'{"a":1,"a":"0123456789"}',
        b'{"a":1,"b":"012345678',
        b'"a":"b",012345678',
    ):
        assert Shape.of(line) is None


KEYS = st.sampled_from(["a", "b", "o", "p", "q", "r", "x.y", "other", "start"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.integers(0, 10**19)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from([":", ":80", "10.0.0.1", 'quote"', "back\\slash", '":', "x,y", "{", "\u00e4"])
)
OBJECTS = st.recursive(
    st.dictionaries(KEYS, SCALARS, max_size=5),
    lambda inner: st.dictionaries(KEYS, SCALARS | inner | st.lists(SCALARS | inner, max_size=3), max_size=5),
    max_leaves=8,
)


@given(
    st.lists(OBJECTS, min_size=1, max_size=3),
    st.lists(st.integers(0, 2), max_size=12),
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]),
)
def test_what_is_cut_is_what_a_parser_reads(objects, order, ascii_only, separators):
    texts = [json.dumps(o, ensure_ascii=ascii_only, separators=separators).encode() for o in objects]
    lines = [texts[n % len(texts)] for n in order]
    if not lines:
        return
    rows, _ = cut(lines)
    assert rows == {number: expected(lines[number]) for number in rows}


@given(st.lists(st.tuples(st.text(max_size=8), st.integers(0, 10**19 - 1), st.floats(0, 1e6)), min_size=1, max_size=20))
def test_one_shape_with_any_values_is_cut_as_a_parser_reads_it(values):
    lines = [json.dumps({"a": t, "b": i, "x.y": f, "pad": "0" * 9}, ensure_ascii=False).encode() for t, i, f in values]
    rows, rest = cut(lines)
    assert rows == {n: expected(lines[n]) for n in rows}
    # A text that begins with a colon looks like a key's end.
    cuttable = [b"\\" not in line and text[:1] != ":" for line, (text, _, _) in zip(lines, values, strict=True)]
    if all(cuttable) and all(i < 1 << 63 for _, i, _ in values):
        assert rest == []
    assert np.all([cuttable[n] for n in rows])
