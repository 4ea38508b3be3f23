#!/usr/bin/env bash
# zat's ZeekLogReader turns an unset value of a Zeek log into 0, False or 1970-01-02, and zat's LogToDataFrame turns
# it into a missing value.
#
# Ran:      zat 0.4.9 with pandas 3.1.1. One conn.log with a connection whose counters, local_orig and expiry are
#           unset ("-").
# Expected: None or a missing value, as in the data frame of the same package.
# Happens:  ZeekLogReader gives 0 bytes, a duration of 0 s and False. An unset time is one day after the Unix epoch.
# Seen:     The text after "expected.txt" below.
# Matters:  "Not known" becomes "known to be zero". A connection whose size Zeek could not see counts as empty, and an
#           unset local_orig says that the origin is remote.
# Do:       Read with a reader that keeps unset apart (LogToDataFrame, parsezeeklogs), or read the JSON form, which
#           omits the field.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check pandas==3.1.1 zat==0.4.9 || exit 2
cat > run.py <<'PYTHON'
from importlib.metadata import version

from zat.log_to_dataframe import LogToDataFrame
from zat.zeek_log_reader import ZeekLogReader

print("zat", version("zat"))
names = ["ts", "uid", "duration", "orig_bytes", "local_orig", "expires"]
kinds = ["time", "string", "interval", "count", "bool", "time"]
with open("conn.log", "w") as log:
    print("#separator \\x09", "#unset_field\t-", "#path\tconn", sep="\n", file=log)
    print("#fields", *names, sep="\t", file=log)
    print("#types", *kinds, sep="\t", file=log)
    print("1704067200.000000", "C1", "-", "-", "-", "-", sep="\t", file=log)

(row,) = ZeekLogReader("conn.log").readrows()
frame = LogToDataFrame().create_dataframe("conn.log")
for name in names[2:]:
    print(name.ljust(10), "ZeekLogReader:", str(row[name]).ljust(19), "LogToDataFrame missing:", bool(frame[name].isna().all()))
PYTHON
cat > expected.txt <<'TEXT'
zat 0.4.9
Successfully monitoring conn.log...
duration   ZeekLogReader: 0:00:00             LogToDataFrame missing: True
orig_bytes ZeekLogReader: 0                   LogToDataFrame missing: True
local_orig ZeekLogReader: False               LogToDataFrame missing: True
expires    ZeekLogReader: 1970-01-02 00:00:00 LogToDataFrame missing: True
TEXT
TZ=UTC venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
