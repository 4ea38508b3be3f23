#!/usr/bin/env bash
# A rolling sum of 5 minutes holds the row from exactly 5 minutes ago in DuckDB, and not in Polars and pandas.
#
# Ran:      duckdb 2.0.1, pandas 3.1.1, polars 2.1.0. Flow counts for each minute, 1 a minute.
# Expected: Five rows of one minute are in a window of 5 minutes.
# Happens:  DuckDB's RANGE BETWEEN INTERVAL 5 MINUTES PRECEDING AND CURRENT ROW is closed at both ends and sums six
#           rows. Polars' rolling and pandas' rolling leave out the early end and sum five.
# Seen:     The text after "expected.txt" below.
# Matters:  Data with a regular step (flow logs of one minute, heartbeats) always meets the end. Rates differ by 20 %,
#           so a threshold for alerts that was found in one tool does not fit the other.
# Do:       In DuckDB write INTERVAL '5 minutes' - INTERVAL '1 microsecond'. In Polars and pandas name closed=.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check duckdb==2.0.1 pandas==3.1.1 polars==2.1.0 || exit 2
cat > run.py <<'PYTHON'
import datetime

import duckdb
import pandas
import polars

print("duckdb", duckdb.__version__, "pandas", pandas.__version__, "polars", polars.__version__)
start = datetime.datetime(2024, 1, 1)
counts = pandas.DataFrame({"time": [start + datetime.timedelta(minutes=m) for m in range(8)], "flows": [1] * 8})
frame = polars.DataFrame({"time": counts["time"].tolist(), "flows": [1] * 8})
window = "OVER (ORDER BY time RANGE BETWEEN INTERVAL 5 MINUTES PRECEDING AND CURRENT ROW)"
rows = duckdb.sql(f"SELECT sum(flows) {window} FROM counts ORDER BY time").fetchall()
print("duckdb", [int(row[0]) for row in rows])
print("polars", frame.rolling("time", period="5m").agg(polars.col("flows").sum())["flows"].to_list())
print("pandas", [int(total) for total in counts.set_index("time")["flows"].rolling("5min").sum()])
PYTHON
cat > expected.txt <<'TEXT'
duckdb 2.0.1 pandas 3.1.1 polars 2.1.0
duckdb [1, 2, 3, 4, 5, 6, 6, 6]
polars [1, 2, 3, 4, 5, 5, 5, 5]
pandas [1, 2, 3, 4, 5, 5, 5, 5]
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
