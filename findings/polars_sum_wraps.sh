#!/usr/bin/env bash
# Polars' sum of 32-bit counters wraps around: 4294967295 bytes and 1 byte are 0 bytes. DuckDB, pandas and PyArrow
# give 4294967296.
#
# Ran:      duckdb 2.0.1, pandas 3.1.1, polars 2.1.0, pyarrow 26.0.1. A UInt32 column as NetFlow v5 counts bytes.
# Expected: sum() widens the type, as Polars itself does for 8 and 16 bits.
# Happens:  The sum of UInt8 and UInt16 is an Int64. The sum of UInt32 stays UInt32 and wraps without an error, also
#           in group_by. pl.len() is UInt32 too, so pl.len() - 2 of one row is 4294967295.
# Seen:     The text after "expected.txt" below.
# Matters:  Totals by workload above 4 GiB are wrong by a multiple of 4 GiB, only for the largest talkers.
# Do:       Cast counters to Int64 when they are read: pl.col("bytes").cast(pl.Int64).sum().
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check duckdb==2.0.1 pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1 || exit 2
cat > run.py <<'PYTHON'
import duckdb
import pandas
import polars
import pyarrow
import pyarrow.compute

print("duckdb", duckdb.__version__, "pandas", pandas.__version__, "polars", polars.__version__, "pyarrow", pyarrow.__version__)
flows = pyarrow.table({"owner": ["web", "web"], "bytes": pyarrow.array([2**32 - 1, 1], pyarrow.uint32())})
frame = polars.from_arrow(flows)
print("polars sum     ", frame["bytes"].sum())
print("polars group_by", frame.group_by("owner").agg(polars.col("bytes").sum()).rows())
print("polars cast    ", frame.select(polars.col("bytes").cast(polars.Int64).sum()).item())
print("polars UInt16  ", polars.Series([2**16 - 1, 1], dtype=polars.UInt16).sum())
print("polars len - 2 ", frame.head(1).select(polars.len() - 2).item())
print("duckdb         ", duckdb.sql("SELECT sum(bytes) FROM flows").fetchall()[0][0])
print("pandas         ", flows.to_pandas()["bytes"].sum())
print("pyarrow        ", pyarrow.compute.sum(flows["bytes"]))
PYTHON
cat > expected.txt <<'TEXT'
duckdb 2.0.1 pandas 3.1.1 polars 2.1.0 pyarrow 26.0.1
polars sum      0
polars group_by [('web', 0)]
polars cast     4294967296
polars UInt16   65536
polars len - 2  4294967295
duckdb          4294967296
pandas          4294967296
pyarrow         4294967296
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
