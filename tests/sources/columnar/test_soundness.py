"""Columns from others: what cannot be computed with is refused, all else is brought to a form that can."""

import struct

import pyarrow as pa
import pytest

from attribution.sources import Ledger, read
from attribution.sources.columnar.soundness import TooLargeError, sound


def text(*offsets, data=b"abcdef"):
    """An array of text with these offsets, right or wrong."""
    buffers = [None, pa.py_buffer(struct.pack(f"<{len(offsets)}i", *offsets)), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.string(), len(offsets) - 1, buffers)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([1, None]), pa.array([1, None])),
        (pa.array(["a", None]), pa.array(["a", None])),
        (pa.array([["a"], None]), pa.array([["a"], None])),
        (text(0, 2, 3, data=b"a\xffb"), pa.array([b"a\xff", b"b"])),
        (pa.array([b"\xff"]), pa.array([b"\xff"])),
        (pa.array(["a", None, "bc"], pa.string_view()), pa.array(["a", None, "bc"])),
        (pa.array(["x" * 20, "a", None], pa.string_view())[1:], pa.array(["a", None])),
        (pa.array(["a", "b", "a"]).dictionary_encode(), pa.array(["a", "b", "a"]).dictionary_encode()),
        (pa.array(["a", None], pa.large_string()).dictionary_encode(), pa.array(["a", None]).dictionary_encode()),
        (pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["a", "a"])), pa.array(["a", "a"])),
        (pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["a", None])), pa.array(["a", None])),
        (pa.array([b"\xff", b"a"]).dictionary_encode(), pa.array([b"\xff", b"a"])),
        (pa.array([7, 8]).dictionary_encode(), pa.array([7, 8])),
    ],
)
def test_a_sound_array_is_given_in_a_form_to_compute_with(array, expected):
    assert sound(array).equals(expected)


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.large_list(pa.string())])
def test_text_in_lists_and_structs_that_is_no_utf8_is_binary(kind):
    offsets = pa.array([0, 1, 2], pa.int64() if kind == pa.large_list(pa.string()) else pa.int32())
    made = pa.LargeListArray if kind == pa.large_list(pa.string()) else pa.ListArray
    values = text(0, 1, 2, data=b"a\xff")
    assert sound(made.from_arrays(offsets, values)).to_pylist() == [[b"a"], [b"\xff"]]
    found = sound(pa.StructArray.from_arrays([values, pa.array([1, 2])], ["a", "b"]))
    assert found.to_pylist() == [{"a": b"a", "b": 1}, {"a": b"\xff", "b": 2}]


@pytest.mark.parametrize(
    "array",
    [
        text(3, 0, 3),
        text(0, 700, 3),
        pa.DictionaryArray.from_arrays(pa.array([0, 2]), pa.array(["a", "b"]), safe=False),
        pa.DictionaryArray.from_arrays(pa.array([0, -1]), pa.array(["a", "b"]), safe=False),
        pa.DictionaryArray.from_arrays(pa.array([0]), text(0, 700, 3)),
    ],
    ids=[
        "decreasing offsets",
        "offsets beyond the end",
        "index too high",
        "negative index",
        "dictionary beyond the end",
    ],
)
def test_a_damaged_array_is_refused(array):
    with pytest.raises(pa.ArrowInvalid):
        sound(array)


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["x" * 100] * 9, pa.string_view()),
        pa.DictionaryArray.from_arrays(pa.array([0] * 9), pa.array(["x" * 100])),
    ],
    ids=["views", "dictionary"],
)
def test_text_that_rows_share_must_fit_into_memory_when_each_has_its_own(array):
    assert len(sound(array, limit=900)) == 9
    with pytest.raises(TooLargeError, match="its text has 900 bytes; 899 are allowed"):
        sound(array, limit=899)


def test_a_file_with_a_damaged_column_is_read_as_far_as_it_is_sound(tmp_path):
    good = pa.record_batch({"prefix": ["10.0.0.0/8"], "service": ["office"]})
    path = tmp_path / "labels.arrow"
    columns = {"prefix": pa.array(["10.0.0.0/8"] * 2), "service": text(0, 3, 1)}
    with pa.ipc.new_file(path, good.schema) as writer:
        writer.write_batch(good)
        writer.write_batch(pa.record_batch(columns))
    rejects = []
    (found,) = read([path], ledger=Ledger(sink=rejects.append))
    assert found.batch.to_pylist()[0]["service"] == "office"
    (reject,) = rejects
    assert reject.reason == "unreadable"
    assert f"cannot read {path} after row 1: " in reject.found
