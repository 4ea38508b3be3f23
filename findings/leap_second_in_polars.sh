#!/usr/bin/env bash
# Polars reads the leap second 2016-12-31T23:59:60Z as the next day; pandas, PyArrow, DuckDB and Python refuse it.
#
# Ran:      duckdb 2.0.1, pandas 3.1.1, polars 2.1.0, pyarrow 26.0.1. The text is an example of RFC 3339, section 5.8,
#           in another year.
# Expected: Libraries refuse second 60 alike, or all map it to one instant.
# Happens:  Polars gives 2017-01-01 00:00:00. The others raise an error for the whole column.
# Seen:     The text after "expected.txt" below.
# Matters:  Syslog of network devices shows second 60. One path puts the flow into the partition of the next day;
#           another path stops on the file or, with errors="coerce", loses the time.
# Do:       Replace ":60" by ":59.999999" in one place, before any library reads the time.
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

print("duckdb", duckdb.__version__, "pandas", pandas.__version__, "polars", polars.__version__, "pyarrow", pyarrow.__version__)
text = "2016-12-31T23:59:60Z"
for name, read in {
    "polars ": lambda: polars.Series([text]).str.to_datetime(time_zone="UTC")[0],
    "pandas ": lambda: pandas.Timestamp(text),
    "pyarrow": lambda: pyarrow.array([text]).cast(pyarrow.timestamp("us", "UTC")),
    "duckdb ": lambda: duckdb.execute("SELECT ?::VARCHAR::TIMESTAMP", [text]).fetchone(),
    "python ": lambda: datetime.datetime.fromisoformat(text),
}.items():
    try:
        print(name, read())
    except Exception as error:
        print(name, type(error).__name__)
PYTHON
cat > expected.txt <<'TEXT'
duckdb 2.0.1 pandas 3.1.1 polars 2.1.0 pyarrow 26.0.1
polars  2017-01-01 00:00:00+00:00
pandas  DateParseError
pyarrow ArrowInvalid
duckdb  ConversionException
python  ValueError
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
