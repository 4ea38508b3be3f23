#!/usr/bin/env bash
# A sum of integers that DuckDB writes to Parquet is a double: totals above 2^53 lose their last digits.
#
# Ran:      duckdb 2.0.1, pyarrow 26.0.1. Two BIGINT values with the sum 9007199254740993.
# Expected: sum() of integers stays an integer in the file, or becomes a decimal, as it does in DuckDB's Arrow output.
# Happens:  sum(BIGINT) is HUGEINT. COPY ... TO Parquet has no such type and writes DOUBLE without a warning. A second
#           query on the file gives 9007199254740992.
# Seen:     The text after "expected.txt" below.
# Matters:  Byte totals of a large fleet and sums of nanoseconds pass 2^53. Sums of sums differ from one sum over all
#           rows.
# Do:       Cast before the write: sum(bytes)::BIGINT, or ::DECIMAL(38, 0).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1 || exit 2
cat > run.py <<'PYTHON'
import duckdb
import pyarrow
import pyarrow.parquet

print("duckdb", duckdb.__version__, "pyarrow", pyarrow.__version__)
total = "SELECT sum(bytes) AS total FROM (VALUES (9007199254740992::BIGINT), (1::BIGINT)) flows(bytes)"
print("in DuckDB        ", *duckdb.sql(f"SELECT typeof(total), total FROM ({total})").fetchall()[0])
duckdb.sql(f"COPY ({total}) TO 'total.parquet'")
print("from its Parquet ", *duckdb.sql("SELECT typeof(total), total::DECIMAL(38, 0) FROM 'total.parquet'").fetchall()[0])
column = pyarrow.parquet.read_table("total.parquet")["total"]
print("pyarrow reads    ", column.type, int(column[0].as_py()))
column = duckdb.sql(total).to_arrow_table()["total"]
print("its Arrow output ", column.type, column[0])
duckdb.sql(f"COPY (SELECT total::BIGINT AS total FROM ({total})) TO 'cast.parquet'")
print("cast, from a file", *duckdb.sql("SELECT typeof(total), total FROM 'cast.parquet'").fetchall()[0])
PYTHON
cat > expected.txt <<'TEXT'
duckdb 2.0.1 pyarrow 26.0.1
in DuckDB         HUGEINT 9007199254740993
from its Parquet  DOUBLE 9007199254740992
pyarrow reads     double 9007199254740992
its Arrow output  decimal128(38, 0) 9007199254740993
cast, from a file BIGINT 9007199254740993
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
