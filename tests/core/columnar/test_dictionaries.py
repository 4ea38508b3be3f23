"""Text columns of any Arrow type: one dictionary, work once per distinct value, nulls in their place."""

import pyarrow as pa
import pytest

from attribution.core.columnar.dictionaries import (
    DICTIONARY,
    decoded,
    dictionary_encoded,
    each_distinct,
    one_array,
    plain,
)

TEXTS = ["b", None, "a", "b"]
NULL_IN_DICTIONARY = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 0]), pa.array(["b", None, "a"]))
OF_TWO_DICTIONARIES = pa.chunked_array(
    [pa.array(TEXTS[:2]).dictionary_encode(), pa.array(TEXTS[2:]).dictionary_encode()]
)


@pytest.mark.parametrize(
    "column",
    [
        pa.array(TEXTS),
        pa.array(TEXTS, pa.large_string()),
        pa.array(TEXTS).dictionary_encode(),
        pa.chunked_array([TEXTS[:1], TEXTS[1:]]),
        NULL_IN_DICTIONARY,
        OF_TWO_DICTIONARIES,
    ],
)
def test_every_text_column_becomes_one_dictionary_array_with_nulls_among_the_indices(column):
    encoded = dictionary_encoded(column)
    assert encoded.type == DICTIONARY
    assert encoded.to_pylist() == TEXTS
    assert encoded.dictionary.null_count == 0


def test_a_column_of_nulls_is_text():
    assert dictionary_encoded(pa.nulls(2)).to_pylist() == [None, None]
    assert one_array(pa.chunked_array([], pa.string())).to_pylist() == []


def test_a_function_is_called_once_for_each_distinct_text_that_is_not_plain():
    calls = []

    def upper(text):
        calls.append(text)
        return None if text == "bad" else text.upper()

    made, fine = each_distinct(pa.array(["x", "plain", None, "bad", "x"]), upper, plain="^plain$")
    assert made.to_pylist() == ["X", "plain", None, None, "X"]
    assert fine.tolist() == [True, True, True, False, True]
    assert sorted(calls) == ["bad", "x"]


def test_a_batch_is_decoded_and_keeps_its_other_columns():
    batch = pa.record_batch({"text": pa.array(TEXTS).dictionary_encode(), "number": pa.array([1, 2, 3, 4])})
    assert plain(batch).to_pydict() == {"text": TEXTS, "number": [1, 2, 3, 4]}
    assert plain(batch).schema.field("text").type == pa.string()
    assert plain(plain(batch)).schema == plain(batch).schema
    assert decoded(batch.column("text")).to_pylist() == TEXTS
