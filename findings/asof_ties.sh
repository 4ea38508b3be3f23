#!/usr/bin/env bash
# An as-of join takes the last of several rows with the same time in pandas, Polars and PyArrow, and the first in
# DuckDB.
#
# Ran:      duckdb 2.0.1, pandas 3.1.1, polars 2.1.0, pyarrow 26.0.1. One flow at time 5, three owners of its address
#           from time 5.
# Expected: Four libraries with the same join on the same rows give the same owner.
# Happens:  DuckDB gives the first row of the tie. The other three give the last row. The reversed table gives the
#           reversed answers.
# Seen:     The text after "expected.txt" below.
# Matters:  The address of a pod that stopped and the pod that started share a timestamp in logs with whole seconds. A
#           pipeline that moves from one library to another then names another workload, and no count of rows shows
#           it.
# Do:       Make the time of each address unique before the join, by a rule that the data supports. Leave a real tie
#           without owner.
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

flows = pyarrow.table({"time": [5], "address": ["10.0.0.1"]})
for owners in (["first", "second", "third"], ["third", "second", "first"]):
    owned = pyarrow.table({"time": [5, 5, 5], "address": ["10.0.0.1"] * 3, "owner": owners})
    print("owners in the table:", owners)
    joined = flows.join_asof(owned, on="time", by="address", tolerance=-10)
    print("  pyarrow", joined["owner"].to_pylist())
    joined = pandas.merge_asof(flows.to_pandas(), owned.to_pandas(), on="time", by="address")
    print("  pandas ", joined["owner"].tolist())
    joined = polars.from_arrow(flows).join_asof(polars.from_arrow(owned), on="time", by="address")
    print("  polars ", joined["owner"].to_list())
    rows = duckdb.sql("SELECT owner FROM flows ASOF JOIN owned USING (address, time)").fetchall()
    print("  duckdb ", [owner for (owner,) in rows])
PYTHON
cat > expected.txt <<'TEXT'
duckdb 2.0.1 pandas 3.1.1 polars 2.1.0 pyarrow 26.0.1
owners in the table: ['first', 'second', 'third']
  pyarrow ['third']
  pandas  ['third']
  polars  ['third']
  duckdb  ['first']
owners in the table: ['third', 'second', 'first']
  pyarrow ['first']
  pandas  ['first']
  polars  ['first']
  duckdb  ['third']
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
