#!/usr/bin/env bash
# In PyArrow "address is not in the list" keeps rows without an address, and "address != a" drops them.
#
# Ran:      duckdb 2.0.1, polars 2.1.0, pyarrow 26.0.1. Three flows with the addresses a, b and null.
# Expected: ~field.isin(["a"]) and field != "a" select the same rows, as in SQL.
# Happens:  isin gives false for null, so its negation gives true. The comparison gives null. DuckDB and Polars drop
#           the null both times. If the list holds null too, isin gives true for null.
# Seen:     The text after "expected.txt" below.
# Matters:  "All flows except those of internal addresses" holds the flows without an address in one library and not
#           in the other.
# Do:       Say what is meant: ~field.isin(values) & field.is_valid().
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
import pyarrow.compute

print("duckdb", duckdb.__version__, "polars", polars.__version__, "pyarrow", pyarrow.__version__)
flows = pyarrow.table({"address": ["a", "b", None]})
address, column = pyarrow.compute.field("address"), polars.col("address")
print('pyarrow  != "a"     ', flows.filter(address != "a")["address"].to_pylist())
print('pyarrow  not in "a" ', flows.filter(~address.isin(["a"]))["address"].to_pylist())
print('polars   != "a"     ', polars.from_arrow(flows).filter(column != "a")["address"].to_list())
print('polars   not in "a" ', polars.from_arrow(flows).filter(~column.is_in(["a"]))["address"].to_list())
print("duckdb   != 'a'     ", [row[0] for row in duckdb.sql("SELECT address FROM flows WHERE address != 'a'").fetchall()])
print("duckdb   not in 'a' ", [row[0] for row in duckdb.sql("SELECT address FROM flows WHERE address NOT IN ('a')").fetchall()])
PYTHON
cat > expected.txt <<'TEXT'
duckdb 2.0.1 polars 2.1.0 pyarrow 26.0.1
pyarrow  != "a"      ['b']
pyarrow  not in "a"  ['b', None]
polars   != "a"      ['b']
polars   not in "a"  ['b']
duckdb   != 'a'      ['b']
duckdb   not in 'a'  ['b']
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
