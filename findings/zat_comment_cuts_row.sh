#!/usr/bin/env bash
# zat's LogToDataFrame drops the rest of a row after a "#" inside a value; ZeekLogReader and LogToPolars of the same
# package keep it.
#
# Ran:      zat 0.4.9 with pandas 3.1.1 and polars 2.1.0. One http.log with the user agent "scanner #7".
# Expected: Only lines that begin with "#" are comments. Zeek does not escape "#" inside of a value.
# Happens:  The user agent is cut and all later columns of the row are missing, without an error.
# Seen:     The text after "expected.txt" below.
# Matters:  Later columns of the row look unset: status, bytes and names of files. Other rows of the log are complete.
# Do:       Use ZeekLogReader or LogToPolars for logs with free text: http, smtp, notice, weird, x509.
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
from zat.zeek_log_reader import ZeekLogReader

print("zat", version("zat"))
with open("http.log", "w") as log:
    print("#separator \\x09", "#unset_field\t-", "#path\thttp", sep="\n", file=log)
    print("#fields", "ts", "uid", "user_agent", "status_code", "tags", sep="\t", file=log)
    print("#types", "time", "string", "string", "count", "string", sep="\t", file=log)
    print("1704067200.000000", "C1", "scanner #7", "200", "x", sep="\t", file=log)

wanted = ["user_agent", "status_code", "tags"]
(row,) = ZeekLogReader("http.log").readrows()
print("ZeekLogReader ", [row[name] for name in wanted])
print("LogToPolars   ", list(LogToPolars().create_dataframe("http.log").select(wanted).row(0)))
frame = LogToDataFrame().create_dataframe("http.log")
print("LogToDataFrame", [None if missing else value for value, missing in zip(frame[wanted].iloc[0], frame[wanted].isna().iloc[0])])
PYTHON
cat > expected.txt <<'TEXT'
zat 0.4.9
Successfully monitoring http.log...
ZeekLogReader  ['scanner #7', 200, 'x']
LogToPolars    ['scanner #7', 200, 'x']
LogToDataFrame ['scanner ', None, None]
TEXT
TZ=UTC venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
