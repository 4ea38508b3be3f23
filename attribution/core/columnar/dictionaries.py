"""Work on text columns that is done once per distinct value instead of once per row."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.columnar.types import Bool, Column, Texts

#: Type of every column that this module makes. A column's dictionary holds each value once if that of the input does.
DICTIONARY = pa.dictionary(pa.int32(), pa.string())


def each_distinct(
    texts: Texts, function: Callable[[str], str | None], *, plain: str | None = None
) -> tuple[pa.DictionaryArray, Bool]:
    """`function` of every distinct text, for all its rows.

    Args:
        texts: a column of text.
        function: the new text of an old text; None where there is none.
        plain: a regular expression. Texts that it matches stay as they are, without a call.

    Returns:
        A `dictionary<int32, string>` array, and a mask that is false where `function` turned a text into None. A null
        stays null, and its mask is true.
    """
    encoded = dictionary_encoded(texts)
    distinct, rows = encoded.dictionary, encoded.indices
    fine = np.ones(len(rows), np.bool_)
    if plain is None:
        others = np.ones(len(distinct), np.bool_)
    else:
        others = ~pc.match_substring_regex(distinct, plain).to_numpy(zero_copy_only=False)
    if not others.any():
        return encoded, fine
    mask = pa.array(others)
    before = distinct.filter(mask)
    after = pa.array([function(text) for text in before.to_pylist()], pa.string())
    if after.equals(before) and not after.null_count:
        return encoded, fine
    recoded = pc.replace_with_mask(distinct, mask, after).dictionary_encode()
    indices = recoded.indices.take(rows)
    if recoded.null_count:
        fine = pc.or_(rows.is_null(), indices.is_valid()).to_numpy(zero_copy_only=False)
    return pa.DictionaryArray.from_arrays(indices, recoded.dictionary), fine


def dictionary_encoded(texts: Column) -> pa.DictionaryArray:
    """Text of any Arrow type as one `dictionary<int32, string>` array, without a copy where it has that type.

    Nulls stand among the indices, never in the dictionary.
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = one_array(texts)
    if pa.types.is_null(texts.type):
        texts = texts.cast(pa.string())
    if isinstance(texts, pa.DictionaryArray) and texts.dictionary.null_count:
        texts = texts.dictionary_decode()
    if not isinstance(texts, pa.DictionaryArray):
        texts = texts.cast(pa.string()).dictionary_encode()
    return texts if texts.type == DICTIONARY else texts.cast(DICTIONARY)


def one_array(column: Column) -> pa.Array:
    """One array of a column's chunks. Chunks with dictionaries of their own are brought to one dictionary."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def decoded(column: Column) -> Column:
    """The column, decoded if it is dictionary-encoded."""
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The record batch with its text decoded: batches with different dictionaries cannot stand in one stream."""
    coded = [pa.types.is_dictionary(kind) for kind in batch.schema.types]
    if not any(coded):
        return batch
    columns = [c.dictionary_decode() if code else c for c, code in zip(batch.columns, coded, strict=True)]
    fields = [field.with_type(column.type) for field, column in zip(batch.schema, columns, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))
