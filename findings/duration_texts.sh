#!/usr/bin/env bash
# "5M", "1:30", "90" and "1y" are durations of up to 43,920 times different length in five libraries.
#
# Ran:      duckdb 2.0.1, durationpy 0.11, durations 0.3.3, pandas 3.1.1, pytimeparse 1.1.10.
# Expected: A library reads a text as the others do, or refuses it.
# Happens:  "5M" is 5 minutes or 5 months. "1:30" is 90 seconds, 90 minutes, or nothing at all (durations: 0 s without
#           an error). "90" is 90 seconds or 90 nanoseconds or 0 s. "1h30" is 1 hour for durations, which drops the
#           rest. A year has 360, 365 or 366 days.
# Seen:     The text after "expected.txt" below, in seconds.
# Matters:  Hold times, retention and the length of evidence come from configuration. A tolerance of months accepts
#           any stale owner.
# Do:       Accept only unit letters s, m, h, d in lower case with an integer, and refuse the rest. Print what was
#           understood.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check duckdb==2.0.1 durationpy==0.11 durations==0.3.3 pandas==3.1.1 pytimeparse==1.1.10 || exit 2
cat > run.py <<'PYTHON'
from importlib.metadata import version

import duckdb
import durationpy
import durations
import pandas
import pytimeparse

print(*(f"{name} {version(name)}" for name in ("duckdb", "durationpy", "durations", "pandas", "pytimeparse")))


def duckdb_seconds(text):
    return duckdb.execute("SELECT ?::VARCHAR::INTERVAL", [text]).fetchone()[0].total_seconds()


readers = {
    "duckdb": duckdb_seconds,
    "durationpy": lambda text: durationpy.from_str(text).total_seconds(),
    "durations": lambda text: durations.Duration(text).to_seconds(),
    "pandas": lambda text: pandas.Timedelta(text).total_seconds(),
    "pytimeparse": lambda text: pytimeparse.parse(text) or "refused",
}
for text in ("5m", "5M", "1:30", "90", "1h30", "1y"):
    print(f'"{text}"')
    for name, read in readers.items():
        try:
            seconds = read(text)
        except Exception:
            seconds = "refused"
        print("  ", name.ljust(11), seconds if isinstance(seconds, str) else f"{float(seconds):.10g}")
PYTHON
cat > expected.txt <<'TEXT'
duckdb 2.0.1 durationpy 0.11 durations 0.3.3 pandas 3.1.1 pytimeparse 1.1.10
"5m"
   duckdb      300
   durationpy  300
   durations   300
   pandas      300
   pytimeparse 300
"5M"
   duckdb      300
   durationpy  refused
   durations   13176000
   pandas      refused
   pytimeparse 300
"1:30"
   duckdb      5400
   durationpy  refused
   durations   0
   pandas      refused
   pytimeparse 90
"90"
   duckdb      90
   durationpy  refused
   durations   0
   pandas      9e-08
   pytimeparse refused
"1h30"
   duckdb      refused
   durationpy  refused
   durations   3600
   pandas      refused
   pytimeparse refused
"1y"
   duckdb      31104000
   durationpy  31536000
   durations   31622400
   pandas      refused
   pytimeparse refused
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
