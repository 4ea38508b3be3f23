#!/usr/bin/env bash
# PyArrow's functions disagree whether a value is missing, if the null stands in the dictionary of a column.
#
# Ran:      duckdb 2.0.1, pyarrow 26.0.1. dictionary_encode(null_encoding="encode") of ["a", null], which the Arrow
#           format allows.
# Expected: All functions of one library say that one of two values is missing.
# Happens:  is_null, pc.count and a filter say one. null_count, drop_null, fill_null and the grouped count say none. A
#           group_by makes two groups None, if the column also has a plain null. Writing such a column to Parquet
#           fails.
# Seen:     The text after "expected.txt" below.
# Matters:  A workload name that is missing is counted as known, or not, by the function that counts. Rates of
#           attribution differ.
# Do:       Decode at the border: column.dictionary_decode().dictionary_encode() moves the null out of the dictionary.
# Here:     encode() in attribution/core/columnar/dictionaries.py keeps nulls out of dictionaries.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1 || exit 2
cat > run.py <<'PYTHON'
import duckdb
import pyarrow
import pyarrow.compute

print("duckdb", duckdb.__version__, "pyarrow", pyarrow.__version__)
names = pyarrow.array(["a", None]).dictionary_encode(null_encoding="encode")
print("indices", names.indices.to_pylist(), "dictionary", names.dictionary.to_pylist())
print("is_null              ", pyarrow.compute.is_null(names).to_pylist())
print("null_count           ", names.null_count)
print("pc.count             ", pyarrow.compute.count(names))
table = pyarrow.table({"pool": ["p", "p"], "name": names})
print("grouped count        ", table.group_by("pool").aggregate([("name", "count")])["name_count"].to_pylist())
print("duckdb count         ", duckdb.from_arrow(table).aggregate("count(name)").fetchall()[0][0])
print("drop_null            ", names.drop_null().to_pylist())
print("fill_null            ", pyarrow.compute.fill_null(names, "x").to_pylist())
both = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0, 1, None]), names.dictionary)
print("groups               ", pyarrow.table({"name": both}).group_by("name").aggregate([])["name"].to_pylist())
moved = names.dictionary_decode().dictionary_encode()
print("decoded, null_count  ", moved.null_count)
PYTHON
cat > expected.txt <<'TEXT'
duckdb 2.0.1 pyarrow 26.0.1
indices [0, 1] dictionary ['a', None]
is_null               [False, True]
null_count            0
pc.count              1
grouped count         [2]
duckdb count          1
drop_null             ['a', None]
fill_null             ['a', None]
groups                ['a', None, None]
decoded, null_count   1
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
