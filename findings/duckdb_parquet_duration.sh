#!/usr/bin/env bash
# DuckDB reads a Parquet duration as a bare integer in the writer's unit: 90 seconds are 90, 90000 or 90000000.
#
# Ran:      duckdb 2.0.1, polars 2.1.0, pyarrow 26.0.1. One duration in three units, written by PyArrow, and one
#           written by Polars.
# Expected: INTERVAL, as for Arrow tables, or a refusal.
# Happens:  The column is BIGINT and the unit is lost, because Parquet has no such type and the unit stands only in
#           Arrow's metadata. The same table as an Arrow table in DuckDB is an INTERVAL. PyArrow and Polars read the
#           unit back.
# Seen:     The text after "expected.txt" below.
# Matters:  Lengths of flows from Zeek or pandas go wrong by 1,000 or 1,000,000, if the writer changes its library or
#           version.
# Do:       Write lengths as an integer with the unit in the name of the column: duration_us.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check duckdb==2.0.1 polars==2.1.0 pyarrow==26.0.1 || exit 2
cat > run.py <<'PYTHON'
import datetime

import duckdb
import polars
import pyarrow
import pyarrow.parquet

print("duckdb", duckdb.__version__, "polars", polars.__version__, "pyarrow", pyarrow.__version__)
length = datetime.timedelta(seconds=90)
for unit in ("s", "ms", "us"):
    flows = pyarrow.table({"length": pyarrow.array([length], pyarrow.duration(unit))})
    pyarrow.parquet.write_table(flows, "flows.parquet")
    print("written by pyarrow in", unit)
    print("  duckdb, Parquet", *duckdb.sql("SELECT typeof(length), length FROM 'flows.parquet'").fetchall()[0])
    print("  duckdb, Arrow  ", *duckdb.sql("SELECT typeof(length), length FROM flows").fetchall()[0])
    print("  polars         ", polars.read_parquet("flows.parquet")["length"][0])
    print("  pyarrow        ", pyarrow.parquet.read_table("flows.parquet")["length"][0].as_py())
polars.DataFrame({"length": [length]}).write_parquet("flows.parquet")
print("written by polars")
print("  duckdb, Parquet", *duckdb.sql("SELECT typeof(length), length FROM 'flows.parquet'").fetchall()[0])
PYTHON
cat > expected.txt <<'TEXT'
duckdb 2.0.1 polars 2.1.0 pyarrow 26.0.1
written by pyarrow in s
  duckdb, Parquet BIGINT 90
  duckdb, Arrow   INTERVAL 0:01:30
  polars          0:01:30
  pyarrow         0:01:30
written by pyarrow in ms
  duckdb, Parquet BIGINT 90000
  duckdb, Arrow   INTERVAL 0:01:30
  polars          0:01:30
  pyarrow         0:01:30
written by pyarrow in us
  duckdb, Parquet BIGINT 90000000
  duckdb, Arrow   INTERVAL 0:01:30
  polars          0:01:30
  pyarrow         0:01:30
written by polars
  duckdb, Parquet BIGINT 90000000
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
