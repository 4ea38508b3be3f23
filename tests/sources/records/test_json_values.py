"""JSON values as columns, and what stands under a key."""

import pyarrow as pa
import pytest

from attribution.sources.records.json_values import (
    JSON_PART,
    MIXED,
    TEXT_PART,
    json_texts,
    load,
    object_at,
    objects_at,
    text_at,
    to_column,
    typed_column,
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, None, 2], pa.array([1, None, 2])),
        ([1, 0.5], pa.array([1.0, 0.5])),
        ([None, None], pa.array([None, None], pa.string())),
        ([[1], None], pa.array([[1], None])),
        ([1, "x"], pa.array(["1", "x"])),
        ([0.5, True], pa.array(["0.5", "true"])),
        ([7.0, "x"], pa.array(["7", "x"])),
        ([1 << 64], pa.array([str(1 << 64)])),
        (["\ud800", "x"], pa.array(["?", "x"])),
        ([[1], "x", None], pa.array(["[1]", "x", None])),
        ([[0.5, True]], pa.array(["[0.5, true]"])),
    ],
)
def test_values_without_a_common_type_are_text(values, expected):
    assert to_column(values).equals(expected)


def test_lists_and_objects_beside_other_values_are_told_apart():
    found = to_column([[1], "[1]", None, {"a": 1}, 5], apart=True)
    assert found.type == MIXED
    assert found.to_pylist() == [
        {TEXT_PART: None, JSON_PART: "[1]"},
        {TEXT_PART: "[1]", JSON_PART: None},
        None,
        {TEXT_PART: None, JSON_PART: '{"a": 1}'},
        {TEXT_PART: "5", JSON_PART: None},
    ]
    assert to_column([1, "x"], apart=True).type == pa.string()


def test_lists_and_objects_are_json_text():
    assert json_texts(pa.chunked_array([pa.array([[1], None])])).to_pylist() == ["[1]", None]
    assert json_texts(pa.array([{"a": None}])).to_pylist() == ['{"a": null}']


def test_a_column_of_one_type_holds_what_is_no_text_as_question_marks():
    assert typed_column(["\ud800", None, "x"], pa.string()).to_pylist() == ["?", None, "x"]
    assert typed_column([1, None], pa.int64()).to_pylist() == [1, None]


@pytest.mark.parametrize("value", [None, 5, "x", [], {}, {"a": 5}, {"a": None}])
def test_what_is_not_there_is_empty(value):
    assert object_at(value, "a") == {}
    assert objects_at(value, "a") == []
    assert text_at(value, "a") is None


def test_what_stands_under_a_key_is_found():
    value = {"object": {"b": 1}, "list": [{"c": 1}, 5, {"d": 2}], "text": "x", "empty": ""}
    assert object_at(value, "object") == {"b": 1}
    assert objects_at(value, "list") == [{"c": 1}, {"d": 2}]
    assert text_at(value, "text") == "x"
    assert text_at(value, "empty") is None


@pytest.mark.parametrize("text", ["[" * 65 + "]" * 65, '{"a":' * 65 + "1" + "}" * 65, "{", "[" * 100_000])
def test_broken_and_deep_json_is_refused(text):
    for form in (text, text.encode()):
        with pytest.raises((ValueError, RecursionError)):
            load(form)
    assert load("[" * 64 + "]" * 64) == load(b"[" * 64 + b"]" * 64)
