"""JSON lines to columns: types are learned, and a bad line costs itself only."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.errors import SourceError
from attribution.sources.input.opening import OpenInput
from attribution.sources.json.documents import documents
from attribution.sources.json.lines import JsonLines, first_object
from attribution.sources.records.json_values import JSON_PART, MIXED, TEXT_PART

FIELDS = {"a": ("a",), "deep": ("b", "c.d"), "items": ("items",)}


def read(content, first_line=1, reader=None):
    bad, rows = [], []
    reader = reader or JsonLines(FIELDS, nested=["items"])
    for piece in reader.read(content, first_line, lambda *found: bad.append(found)):
        table = pa.table({name: piece.columns[name] for name in FIELDS})
        assert len(piece) == table.num_rows
        rows += [(line, *row.values()) for line, row in zip(piece.lines.tolist(), table.to_pylist(), strict=True)]
    return rows, bad


def test_fields_at_any_depth_and_names_with_dots():
    rows, bad = read(b'{"a":1,"b":{"c.d":"x","e":9},"f":[{}]}\n{"b":null,"items":[1.5]}\n{}')
    assert rows == [(1, 1, "x", None), (2, None, None, [1.5]), (3, None, None, None)]
    assert bad == []


@pytest.mark.parametrize("copies", [1, 300])
def test_lists_and_objects_stand_as_json_text_where_no_field_is_one(copies):
    rows, bad = read(b'{"a":[1],"b":{"c.d":{"x":null}}}\n' * copies)
    assert rows == [(line, "[1]", '{"x": null}', None) for line in range(1, copies + 1)]
    assert bad == []


@pytest.mark.parametrize("copies", [1, 300])
@pytest.mark.parametrize("beside", [b"", b'{"a":"text"}\n'])
def test_lists_and_objects_are_no_value_of_a_field_of_text(copies, beside):
    lines = (b'{"a":[1],"b":{"c.d":{"x":null}}}\n' + beside) * copies
    rows, bad = read(lines, reader=JsonLines(FIELDS, nested=["items"], texts=["a"]))
    assert [row[1:3] for row in rows] == ([(None, '{"x": null}')] + [("text", None)] * bool(beside)) * copies
    assert bad == []


@pytest.mark.parametrize("copies", [1, 60])
def test_a_value_of_another_type_changes_none_of_those_beside_it(copies):
    lines = b"\n".join([b'{"items":[1]}', b'{"items":"[1]"}', b'{"items":7}', b'{"items":{"k":[2]}}', b"{}"] * copies)
    found, _ = read(lines)
    assert [row[3] for row in found] == [[1], "[1]", 7, {"k": [2]}, None] * copies
    values = ["7", "[1]", '[1, "x"]', "true", "7.5", "1" + "0" * 30]
    found, _ = read("\n".join(f'{{"a": {value}}}' for value in values).encode())
    assert [row[1] for row in found] == [7, "[1]", '[1, "x"]', True, 7.5, "1" + "0" * 30]


@pytest.mark.parametrize("copies", [1, 60])
def test_lists_and_objects_beside_other_values_are_told_apart_if_that_was_asked_for(copies):
    lines = b"\n".join([b'{"items":[1]}', b'{"items":"[1]"}', b'{"items":7}', b'{"items":{"k":[]}}', b"{}"] * copies)
    pieces = JsonLines(FIELDS, nested=["items"], apart=True).read(lines, 1, pytest.fail)
    columns = [piece.columns["items"] for piece in pieces]
    assert {column.type for column in columns} == {MIXED}
    assert [value for column in columns for value in column.to_pylist()] == [
        {TEXT_PART: None, JSON_PART: "[1]"},
        {TEXT_PART: "[1]", JSON_PART: None},
        {TEXT_PART: "7", JSON_PART: None},
        {TEXT_PART: None, JSON_PART: '{"k": []}'},
        None,
    ] * copies


def test_blank_lines_carry_nothing_but_count():
    assert read(b'\n{"a":1}\r\n  \n{"a":2}\n\n', 10) == ([(11, 1, None, None), (13, 2, None, None)], [])


def test_bad_lines_are_told_with_number_and_reason():
    lines = [b'{"a":1}', b'{"a":', b"7", b'{"a":2}{"a":3}', b'{"a":"\xff"}', b'[{"a":4}]', b'{"a":5}']
    rows, bad = read(b"\n".join(lines))
    assert rows == [(1, 1, None, None), (7, 5, None, None)]
    assert sorted((line, reason) for line, _, reason in bad) == [
        (2, "malformed"),
        (3, "malformed"),
        (4, "malformed"),
        (5, "not_text"),
        (6, "malformed"),
    ]


def test_two_objects_on_one_line_never_shift_the_numbers_of_others():
    rows, bad = read(b'{"a":1}{"a":2}\n\n{"a":3}')
    assert rows == [(3, 3, None, None)]
    assert [line for line, _, _ in bad] == [1]


def test_a_field_that_shows_up_late_or_changes_its_type_is_read_all_the_same():
    content = b'{"a":1}\n' * 500 + b'{"a":1,"items":["x"]}\n' + b'{"a":2.5}\n' + b'{"a":"three"}\n' + b'{"a":4}\n' * 500
    rows, bad = read(content)
    assert bad == []
    assert len(rows) == 1003
    assert [row for row in rows if row[3]] == [(501, 1, None, ["x"])]
    assert [str(row[1]) for row in rows[501:504]] in (["2.5", "three", "4"], ["2.5", "three", "4.0"])


def test_types_learned_in_one_block_hold_for_the_next():
    reader = JsonLines(FIELDS, nested=["items"])
    assert read(b'{"a":1}', reader=reader)[0] == [(1, 1, None, None)]
    assert read(b'{"a":"x","b":{"c.d":true}}', 2, reader)[0] == [(2, "x", True, None)]
    assert read(b'{"a":2}', 3, reader)[0] in ([(3, 2, None, None)], [(3, "2", None, None)])


def test_numbers_that_fit_no_column_are_text():
    (row,), bad = read(b'{"a":123456789012345678901234567890}')
    assert row[1] == "123456789012345678901234567890"
    assert bad == []


SCALAR = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5)
OBJECT = st.fixed_dictionaries({}, optional={"a": SCALAR, "b": SCALAR | st.fixed_dictionaries({"c.d": SCALAR})})


def as_text(value):
    return value if value is None or isinstance(value, str) else json.dumps(value)


@given(st.lists(OBJECT, max_size=30))
def test_whatever_the_types_every_value_is_found(objects):
    rows, bad = read("\n".join(json.dumps(o) for o in objects).encode())
    assert bad == []
    assert [row[0] for row in rows] == list(range(1, len(objects) + 1))
    for row, written in zip(rows, objects, strict=True):
        deep = written.get("b")
        for found, expected in ((row[1], written.get("a")), (row[2], deep["c.d"] if isinstance(deep, dict) else None)):
            same = found == expected or as_text(found) == as_text(expected)
            assert same or float(found) == pytest.approx(float(expected))


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'\n {"a":1}\n{"a":2}', {"a": 1}),
        (b'\xef\xbb\xbf{"a":1}\n', {"a": 1}),
        (b'{"a":', None),
        (b"[1]\n", None),
        (b"", None),
        (b"\xff", None),
    ],
)
def test_the_first_object(head, expected):
    assert first_object(head) == expected


def test_documents_in_a_row_and_where_they_break(tmp_path):
    path = tmp_path / "documents"
    path.write_bytes(b'{"a":\n1}\n{"a":2} [3]\n')
    with OpenInput(path) as data:
        assert list(documents(data)) == [{"a": 1}, {"a": 2}, [3]]
    path.write_bytes(b'{"a":1}\n{"a":\n')
    with OpenInput(path) as data, pytest.raises(SourceError, match="broken JSON at line 3"):
        list(documents(data))
    path.write_bytes(b'{"a":\n"\xff')
    with OpenInput(path) as data, pytest.raises(SourceError, match="broken JSON at line 2"):
        list(documents(data))
    path.write_bytes(b'\n{"a":1}\n{"a":1 2}]')
    with OpenInput(path) as data, pytest.raises(SourceError, match="broken JSON at line 3"):
        list(documents(data))


def test_what_cannot_be_read_of_documents_stands_there_as_text(tmp_path):
    path = tmp_path / "documents"
    path.write_bytes(
        b'{"a":"\xff"} {"kind": [1], "items": '
        b'[{"a": 1}, {"a": "}]\\"", "b"}, "\xff", {"a": {"items": [9, 09]}}, 1 2, []]}'
        b'\n{"a": 1}[[1], [01], {"b": {"c": }}]'
    )
    with OpenInput(path) as data:
        odd, *found = documents(data, ("items",))
    assert odd == '{"a":"\udcff"}'
    assert found == [
        {"kind": [1], "items": [{"a": 1}, '{"a": "}]\\"", "b"}', '"\udcff"', {"a": {"items": [9, "09"]}}, "1 2", []]},
        {"a": 1},
        [[1], "[01]", '{"b": {"c": }}'],
    ]


def test_only_the_lists_that_a_format_names_are_taken_apart(tmp_path):
    path = tmp_path / "documents"
    path.write_bytes(b'{"items": [{"ports": [1, 02]}, {"ports": [3]}], "other": 1}')
    with OpenInput(path) as data:
        assert list(documents(data, ("items",))) == [{"items": ['{"ports": [1, 02]}', {"ports": [3]}], "other": 1}]
    with OpenInput(path) as data:
        assert list(documents(data)) == [path.read_text()]
