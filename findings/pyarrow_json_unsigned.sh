#!/usr/bin/env bash
# One JSON number above 2^63 makes PyArrow read the whole column as double, so the other identifiers lose their last
# digits.
#
# Ran:      duckdb 2.0.1, polars 2.1.0, pyarrow 26.0.1. Two lines of JSON with identifiers of 64 bits, and the same as
#           CSV.
# Expected: uint64, a wider integer, or an error. PyArrow has uint64 and decimals.
# Happens:  PyArrow infers double, in its JSON reader and in its CSV reader: 9007199254740993 becomes
#           9007199254740992. DuckDB reads a HUGEINT, Polars reads 128 bits; both keep the numbers.
# Seen:     The text after "expected.txt" below.
# Matters:  Flow identifiers and hashes fill 64 bits. Two flows can get one identifier, but only in files with a large
#           number.
# Do:       Give the type: explicit_schema or column_types with pyarrow.uint64().
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check duckdb==2.0.1 polars==2.1.0 pyarrow==26.0.1 || exit 2
cat > run.py <<'PYTHON'
import duckdb
import polars
import pyarrow
import pyarrow.csv
import pyarrow.json

print("duckdb", duckdb.__version__, "polars", polars.__version__, "pyarrow", pyarrow.__version__)
open("flows.json", "w").write('{"flow_id":9007199254740993}\n{"flow_id":18446744073709551615}\n')
open("flows.csv", "w").write("flow_id\n9007199254740993\n18446744073709551615\n")
for kind, arrow, frame in (
    ("json", pyarrow.json.read_json, polars.read_ndjson),
    ("csv", pyarrow.csv.read_csv, polars.read_csv),
):
    column = arrow(f"flows.{kind}")["flow_id"]
    print(kind, "pyarrow", column.type, [int(number) for number in column.to_pylist()])
    column = frame(f"flows.{kind}")["flow_id"]
    print(kind, "polars ", column.dtype, column.to_list())
    rows = duckdb.sql(f"SELECT typeof(flow_id), flow_id FROM read_{kind}('flows.{kind}')").fetchall()
    print(kind, "duckdb ", rows[0][0], [number for _, number in rows])
PYTHON
cat > expected.txt <<'TEXT'
duckdb 2.0.1 polars 2.1.0 pyarrow 26.0.1
json pyarrow double [9007199254740992, 18446744073709551616]
json polars  Int128 [9007199254740993, 18446744073709551615]
json duckdb  HUGEINT [9007199254740993, 18446744073709551615]
csv pyarrow double [9007199254740992, 18446744073709551616]
csv polars  Int128 [9007199254740993, 18446744073709551615]
csv duckdb  HUGEINT [9007199254740993, 18446744073709551615]
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
