#!/usr/bin/env bash
# PyArrow's group_by gives one name twice, if the dictionary of the column holds the name twice.
#
# Ran:      duckdb 2.0.1, polars 2.1.0, pyarrow 26.0.1. A column of addresses whose dictionary is replaced by the
#           names of the owners.
# Expected: One group for each name. The Arrow format says that a dictionary may hold a value more than once.
# Happens:  group_by, unique and value_counts compare the indices: "web" gets two groups. An ordinary filter on "web"
#           finds all rows. DuckDB and Polars make one group.
# Seen:     The text after "expected.txt" below.
# Matters:  Naming a column by its dictionary is the fast way to attribute flows: look up each distinct address once.
#           Two addresses of one workload then give two rows with half of the bytes each.
# Do:       Make the dictionary distinct again before group_by: dictionary.dictionary_encode(), then take the indices
#           through it.
# Here:     each_distinct() in attribution/core/columnar/dictionaries.py makes the dictionary distinct again.
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
owners = {"10.0.0.1": "web", "10.0.0.2": "web"}
addresses = pyarrow.array(["10.0.0.1", "10.0.0.2", "10.0.0.1"]).dictionary_encode()
names = pyarrow.array([owners[address] for address in addresses.dictionary.to_pylist()])
flows = pyarrow.table({"owner": pyarrow.DictionaryArray.from_arrays(addresses.indices, names), "bytes": [1, 10, 100]})
print("pyarrow group_by", flows.group_by("owner").aggregate([("bytes", "sum")]).to_pylist())
print("pyarrow unique  ", flows["owner"].unique().to_pylist())
print("pyarrow filter  ", flows.filter(pyarrow.compute.field("owner") == "web").num_rows, "rows")
print("duckdb GROUP BY ", duckdb.sql("SELECT owner, sum(bytes)::INT FROM flows GROUP BY owner").fetchall())
print("polars group_by ", polars.from_arrow(flows).group_by("owner").agg(polars.col("bytes").sum()).rows())
PYTHON
cat > expected.txt <<'TEXT'
duckdb 2.0.1 polars 2.1.0 pyarrow 26.0.1
pyarrow group_by [{'owner': 'web', 'bytes_sum': 101}, {'owner': 'web', 'bytes_sum': 10}]
pyarrow unique   ['web', 'web']
pyarrow filter   3 rows
duckdb GROUP BY  [('web', 111)]
polars group_by  [('web', 111)]
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
