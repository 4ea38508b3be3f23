#!/usr/bin/env bash
# zat's LogToPolars cuts durations to whole milliseconds: a connection of 0.9 ms lasts 0, in LogToDataFrame it lasts
# 0.9 ms.
#
# Ran:      zat 0.4.9 with pandas 3.1.1 and polars 2.1.0. One conn.log with durations of 0.000900 and 1.002999 s.
# Expected: Zeek writes durations with six digits, and both data frames of one package keep them.
# Happens:  LogToPolars multiplies by 1000 and casts to milliseconds, which cuts. Times ("ts") keep microseconds.
# Seen:     The text after "expected.txt" below.
# Matters:  The end of a flow, ts + duration, moves to an earlier time. Most connections inside of a data centre take
#           less than 1 ms and become flows without length, which fall out of overlap joins with half-open ranges.
# Do:       Read the interval columns yourself: seconds times 1,000,000, rounded, as Duration("us").
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check pandas==3.1.1 polars==2.1.0 zat==0.4.9 || exit 2
cat > run.py <<'PYTHON'
from importlib.metadata import version

from zat.log_to_dataframe import LogToDataFrame
from zat.log_to_polars import LogToPolars

print("zat", version("zat"))
with open("conn.log", "w") as log:
    print("#separator \\x09", "#path\tconn", "#fields\tts\tduration", "#types\ttime\tinterval", sep="\n", file=log)
    print("1704067200.000001\t0.000900\n1704067201.000001\t1.002999", file=log)

print("LogToDataFrame", [str(length.to_pytimedelta()) for length in LogToDataFrame().create_dataframe("conn.log")["duration"]])
print("LogToPolars   ", [str(length) for length in LogToPolars().create_dataframe("conn.log")["duration"]])
PYTHON
cat > expected.txt <<'TEXT'
zat 0.4.9
LogToDataFrame ['0:00:00.000900', '0:00:01.002999']
LogToPolars    ['0:00:00', '0:00:01.002000']
TEXT
TZ=UTC venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
