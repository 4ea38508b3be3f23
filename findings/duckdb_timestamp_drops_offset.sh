#!/usr/bin/env bash
# DuckDB ignores the offset of "2024-01-01T00:00:00+02:00" if the column type is given as TIMESTAMP, and applies it
# otherwise.
#
# Ran:      duckdb 2.0.1, pandas 3.1.1, polars 2.1.0. A CSV file and a JSON file with one such time.
# Expected: A reader converts the time to UTC, or refuses a time with an offset for a type without a zone.
# Happens:  With types={'time': 'TIMESTAMP'} the reader gives 00:00:00 and drops the two hours. Without the given type
#           it sees a TIMESTAMP WITH TIME ZONE and gives 22:00:00 UTC. PyArrow refuses, Polars and pandas convert.
# Seen:     The text after "expected.txt" below.
# Matters:  People give column types so that nothing is guessed. Here the given type shifts each flow by the offset of
#           its device, and a flow is attributed to the owner of another hour.
# Do:       Give TIMESTAMPTZ for texts with an offset, then convert: time AT TIME ZONE 'UTC'.
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

print("duckdb", duckdb.__version__, "pandas", pandas.__version__, "polars", polars.__version__, "pyarrow", pyarrow.__version__)
text = "2024-01-01T00:00:00+02:00"
open("flows.csv", "w").write(f"time\n{text}\n")
open("flows.json", "w").write(f'{{"time":"{text}"}}\n')
duckdb.sql("SET TimeZone = 'UTC'")
for question in (
    "read_csv('flows.csv')",
    "read_csv('flows.csv', types={'time': 'TIMESTAMP'})",
    "read_json('flows.json')",
    "read_json('flows.json', columns={'time': 'TIMESTAMP'})",
):
    row = duckdb.sql(f"SELECT typeof(time), time::VARCHAR FROM {question}").fetchall()[0]
    print("duckdb ", question, "->", *row)
print("polars ", polars.Series([text]).str.to_datetime(time_zone="UTC")[0])
print("pandas ", pandas.to_datetime(text, utc=True))
try:
    print("pyarrow", pyarrow.array([text]).cast(pyarrow.timestamp("us"))[0])
except pyarrow.ArrowInvalid as error:
    print("pyarrow", str(error).split(": ")[-1])
PYTHON
cat > expected.txt <<'TEXT'
duckdb 2.0.1 pandas 3.1.1 polars 2.1.0 pyarrow 26.0.1
duckdb  read_csv('flows.csv') -> TIMESTAMP WITH TIME ZONE 2023-12-31 22:00:00+00
duckdb  read_csv('flows.csv', types={'time': 'TIMESTAMP'}) -> TIMESTAMP 2024-01-01 00:00:00
duckdb  read_json('flows.json') -> TIMESTAMP WITH TIME ZONE 2023-12-31 22:00:00+00
duckdb  read_json('flows.json', columns={'time': 'TIMESTAMP'}) -> TIMESTAMP 2024-01-01 00:00:00
polars  2023-12-31 22:00:00+00:00
pandas  2023-12-31 22:00:00+00:00
pyarrow expected no zone offset.
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
