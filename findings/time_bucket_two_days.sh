#!/usr/bin/env bash
# Buckets of two days begin on different days in DuckDB than in PyArrow, Polars and pandas. Two weeks differ in Polars
# too.
#
# Ran:      duckdb 2.0.1, pandas 3.1.1, polars 2.1.0, pyarrow 26.0.1. The time 2024-01-02 12:00.
# Expected: Libraries count buckets of a fixed length from the Unix epoch, as Kafka and Flink windows do.
# Happens:  DuckDB counts from 2000-01-03, an odd number of days after the epoch. So each second day is another
#           bucket. For two weeks PyArrow and DuckDB answer 2024-01-01, and Polars answers 2023-12-25.
# Seen:     The text after "expected.txt" below.
# Matters:  Totals by bucket from a stream and from SQL do not match, although each flow is counted once on both
#           sides.
# Do:       Give the origin: time_bucket(INTERVAL '2 days', time, TIMESTAMP '1970-01-01'). Use hours or days that
#           divide a day.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check duckdb==2.0.1 pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1 || exit 2
cat > run.py <<'PYTHON'
import datetime

import duckdb
import pandas
import polars
import pyarrow
import pyarrow.compute

print("duckdb", duckdb.__version__, "pandas", pandas.__version__, "polars", polars.__version__, "pyarrow", pyarrow.__version__)
time = datetime.datetime(2024, 1, 2, 12)
print("two days")
print("  duckdb ", duckdb.execute("SELECT time_bucket(INTERVAL '2 days', ?::TIMESTAMP)", [time]).fetchone()[0])
print("  pyarrow", pyarrow.compute.floor_temporal(pyarrow.scalar(time), 2, "day"))
print("  polars ", polars.Series([time]).dt.truncate("2d")[0])
print("  pandas ", pandas.Timestamp(time).floor("2D"))
with_origin = "SELECT time_bucket(INTERVAL '2 days', ?::TIMESTAMP, TIMESTAMP '1970-01-01')"
print("  duckdb with origin", duckdb.execute(with_origin, [time]).fetchone()[0])
print("two weeks")
print("  duckdb ", duckdb.execute("SELECT time_bucket(INTERVAL '2 weeks', ?::TIMESTAMP)", [time]).fetchone()[0])
print("  pyarrow", pyarrow.compute.floor_temporal(pyarrow.scalar(time), 2, "week"))
print("  polars ", polars.Series([time]).dt.truncate("2w")[0])
PYTHON
cat > expected.txt <<'TEXT'
duckdb 2.0.1 pandas 3.1.1 polars 2.1.0 pyarrow 26.0.1
two days
  duckdb  2024-01-01 00:00:00
  pyarrow 2024-01-02 00:00:00
  polars  2024-01-02 00:00:00
  pandas  2024-01-02 00:00:00
  duckdb with origin 2024-01-02 00:00:00
two weeks
  duckdb  2024-01-01 00:00:00
  pyarrow 2024-01-01 00:00:00
  polars  2023-12-25 00:00:00
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
