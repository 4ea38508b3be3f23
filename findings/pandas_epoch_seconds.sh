#!/usr/bin/env bash
# pandas turns Unix seconds with six decimals into times with stray nanoseconds. Cut to microseconds, half of the
# times are 1 µs early.
#
# Ran:      duckdb 2.0.1, pandas 3.1.1, polars 2.1.0. 1000 times of one day, as Zeek writes them: 1704067200.999999.
# Expected: to_datetime(..., unit="s") gives the microsecond of the text. A double near 1.7e9 resolves 0.24 µs.
# Happens:  pandas expands the double to nanoseconds and keeps its error, as .999999046 or .000000954. The cast to
#           microseconds cuts. Python, Polars and DuckDB round and give all 1000 times.
# Seen:     The text after "expected.txt" below.
# Matters:  Joins on the time between a pandas path and another path lose half of the rows. A flow that starts with an
#           owner of an address falls 1 µs before the owner.
# Do:       Round: to_datetime(...).dt.round("us"). Or split the text at the point and compute with integers.
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
microseconds = [1704067200_000000 + 86_399_999 * step for step in range(1000)]
seconds = [float(f"{whole // 10**6}.{whole % 10**6:06d}") for whole in microseconds]


def early(name, found):
    print(name.ljust(22), "times that differ:", sum(a != b for a, b in zip(found, microseconds)))


print(pandas.to_datetime(1704067200.999999, unit="s"))
times = pandas.to_datetime(pandas.Series(seconds), unit="s")
early("pandas", times.astype("datetime64[us]").astype("int64"))
early("pandas, rounded", times.dt.round("us").astype("datetime64[us]").astype("int64"))
early("polars from_epoch", polars.DataFrame({"s": seconds}).select(polars.from_epoch("s").cast(polars.Int64))["s"])
rows = duckdb.execute("SELECT epoch_us(to_timestamp(unnest(?::DOUBLE[])))", [seconds]).fetchall()
early("duckdb to_timestamp", [row[0] for row in rows])
utc, epoch = datetime.timezone.utc, datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
early("python fromtimestamp", [(datetime.datetime.fromtimestamp(s, utc) - epoch) // datetime.timedelta(microseconds=1) for s in seconds])
PYTHON
cat > expected.txt <<'TEXT'
duckdb 2.0.1 pandas 3.1.1 polars 2.1.0
2024-01-01 00:00:00.999999046
pandas                 times that differ: 500
pandas, rounded        times that differ: 0
polars from_epoch      times that differ: 0
duckdb to_timestamp    times that differ: 0
python fromtimestamp   times that differ: 0
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
