#!/usr/bin/env bash
# DuckDB rounds a text up to the next second for TIMESTAMP_MS and TIMESTAMP_S, and cuts the same text for TIMESTAMP.
#
# Ran:      duckdb 2.0.1, polars 2.1.0. The text 2024-01-01T23:59:59.9999999Z (seven digits, as Azure and .NET write
#           them).
# Expected: A coarser type keeps the same second and the same day, as TIMESTAMP does.
# Happens:  TIMESTAMP cuts to .999999. TIMESTAMP_MS and TIMESTAMP_S round up, so the flow moves to the next day.
#           Polars cuts.
# Seen:     The text after "expected.txt" below.
# Matters:  The partition, the time bucket and the owner of an address at the change of a second depend on the unit of
#           the column.
# Do:       Cut on purpose: read TIMESTAMP or TIMESTAMP_NS, then date_trunc('milliseconds', time).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check duckdb==2.0.1 polars==2.1.0 || exit 2
cat > run.py <<'PYTHON'
import duckdb
import polars

print("duckdb", duckdb.__version__, "polars", polars.__version__)
text = "2024-01-01T23:59:59.9999999Z"
for kind in ("TIMESTAMP_NS", "TIMESTAMP", "TIMESTAMP_MS", "TIMESTAMP_S"):
    print("duckdb", kind.ljust(12), duckdb.execute(f"SELECT ?::VARCHAR::{kind}::VARCHAR", [text]).fetchone()[0])
for unit in ("ns", "us", "ms"):
    print("polars", unit.ljust(12), polars.Series([text]).str.to_datetime(time_unit=unit).dt.to_string("%F %T%.f")[0])
PYTHON
cat > expected.txt <<'TEXT'
duckdb 2.0.1 polars 2.1.0
duckdb TIMESTAMP_NS 2024-01-01 23:59:59.9999999
duckdb TIMESTAMP    2024-01-01 23:59:59.999999
duckdb TIMESTAMP_MS 2024-01-02 00:00:00
duckdb TIMESTAMP_S  2024-01-02 00:00:00
polars ns           2024-01-01 23:59:59.999999900
polars us           2024-01-01 23:59:59.999999
polars ms           2024-01-01 23:59:59.999
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
