"""Hashes of rows: equal for equal rows however they are held, and different for all others that a test can think of."""

import numpy as np
import pyarrow as pa

from attribution.core.columnar.hashing import hash_rows, hash_texts

#: What version 0.2.0 gives; publishers of several versions name one record alike.
PINNED = 0x30C7D1AE238ACF51
TEXTS = ["", "a", "b", "ab", "ba", "a\0", "12345678", "123456789", "1234567812345678", None, "ä", "x" * 300, "x" * 301]


def test_texts_hash_alike_however_they_are_held():
    plain = hash_texts(pa.array(TEXTS)).tolist()
    assert len(set(plain)) == len(TEXTS)
    assert plain[TEXTS.index(None)] == 0
    assert hash_texts(pa.array(TEXTS).dictionary_encode()).tolist() == plain
    assert hash_texts(pa.chunked_array([pa.array(TEXTS[:5]), pa.array(TEXTS[5:])])).tolist() == plain
    assert hash_texts(pa.array(["z", *TEXTS]).slice(1)).tolist() == plain
    assert [hash_texts(pa.array([text], pa.string()))[0] for text in TEXTS] == plain
    assert hash_texts(pa.array(TEXTS * 2000)).tolist() == plain * 2000


def test_a_hash_is_the_same_in_every_version():
    rows = {"record_id": pa.array(["CAbc1"]), "local_port": pa.array([443], pa.int32())}
    assert [f"{one:016x}" for one in hash_rows(rows).tolist()] == [f"{PINNED:016x}"]


def test_rows_that_differ_in_one_field_hash_differently():
    base = {"start": 10, "local_port": 443, "local_address": "10.0.0.1", "observer": None}
    rows = [base, base | {"start": 11}, base | {"local_port": None}, base | {"local_port": 0}, base | {"observer": ""}]
    rows.append(base | {"local_address": "10.0.0.2"})
    table = pa.Table.from_pylist(rows)
    hashes = hash_rows({name: table.column(name) for name in table.column_names})
    assert len(set(hashes.tolist())) == len(rows)
    without = hash_rows({name: table.column(name) for name in reversed(table.column_names) if name != "observer"})
    assert np.flatnonzero(hashes != without).tolist() == [4]
    assert hashes[0] == hash_rows({name: pa.array([value]) for name, value in base.items()})[0]
