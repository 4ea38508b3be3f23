#!/usr/bin/env bash
# An as-of join matches a missing key with a missing key in pandas and PyArrow, not in DuckDB and Polars.
#
# Ran:      duckdb 2.0.1, pandas 3.1.1, polars 2.1.0, pyarrow 26.0.1. One flow without an address, one owner without
#           an address.
# Expected: PyArrow's as-of join treats null keys as PyArrow's ordinary join does: null equals nothing.
# Happens:  PyArrow's Table.join leaves the flow without owner, and Table.join_asof names the owner. pandas names the
#           owner too. DuckDB and Polars leave the flow without owner.
# Seen:     The text after "expected.txt" below.
# Matters:  Flow logs have records without addresses (NODATA in VPC flow logs, ICMP errors, unset fields in Zeek).
#           Evidence can lack an address too. All of these flows get the latest workload that lacks an address.
# Do:       Drop rows with a null key from both sides before an as-of join, and count them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check duckdb==2.0.1 pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1 || exit 2
cat > run.py <<'PYTHON'
import warnings

import duckdb
import pandas
import polars
import pyarrow

warnings.simplefilter("ignore")  # Polars cannot check the order within groups, and says so.
print("duckdb", duckdb.__version__, "pandas", pandas.__version__, "polars", polars.__version__, "pyarrow", pyarrow.__version__)

flows = pyarrow.table({"time": [5], "address": pyarrow.array([None], pyarrow.string())})
owned = pyarrow.table({"time": [4], "address": pyarrow.array([None], pyarrow.string()), "owner": ["somebody"]})

joined = flows.join(owned.drop_columns("time"), "address")
print("pyarrow join     ", joined["owner"].to_pylist())
joined = flows.join_asof(owned, on="time", by="address", tolerance=-10)
print("pyarrow join_asof", joined["owner"].to_pylist())
joined = pandas.merge_asof(flows.to_pandas(), owned.to_pandas(), on="time", by="address")
print("pandas merge_asof", joined["owner"].tolist())
joined = polars.from_arrow(flows).join_asof(polars.from_arrow(owned), on="time", by="address")
print("polars join_asof ", joined["owner"].to_list())
rows = duckdb.sql("SELECT owner FROM flows ASOF LEFT JOIN owned USING (address, time)").fetchall()
print("duckdb ASOF JOIN ", [owner for (owner,) in rows])
PYTHON
cat > expected.txt <<'TEXT'
duckdb 2.0.1 pandas 3.1.1 polars 2.1.0 pyarrow 26.0.1
pyarrow join      [None]
pyarrow join_asof ['somebody']
pandas merge_asof ['somebody']
polars join_asof  [None]
duckdb ASOF JOIN  [None]
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
