#!/usr/bin/env bash
# Two log readers give times without a zone: zat means local time, flowlogs-reader means UTC, and zat's data frame
# means UTC.
#
# Ran:      zat 0.4.9 with pandas 3.1.1, flowlogs-reader 5.0.1, time zone America/New_York. The instant 1704067200 in
#           a Zeek conn.log and in a VPC flow log.
# Expected: The same instant gives equal times. Both logs hold Unix seconds.
# Happens:  zat's ZeekLogReader gives 19:00 of the day before. flowlogs-reader and zat's LogToDataFrame give 00:00.
#           None has a zone, so Python compares and subtracts these times without an error.
# Seen:     The text after "expected.txt" below.
# Matters:  Zeek connections join with VPC flows of five hours later. On a server with TZ=UTC the tests pass.
# Do:       Run readers with TZ=UTC, and attach the zone at once: ZeekLogReader rows with .astimezone(timezone.utc),
#           the others with .replace(tzinfo=timezone.utc).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check flowlogs-reader==5.0.1 pandas==3.1.1 zat==0.4.9 || exit 2
cat > run.py <<'PYTHON'
import warnings
from importlib.metadata import version

from flowlogs_reader import FlowRecord
from zat.log_to_dataframe import LogToDataFrame
from zat.zeek_log_reader import ZeekLogReader

warnings.simplefilter("ignore")
print("zat", version("zat"), "flowlogs-reader", version("flowlogs-reader"))
with open("conn.log", "w") as log:
    print("#separator \\x09", "#path\tconn", "#fields\tts\tuid", "#types\ttime\tstring", sep="\n", file=log)
    print("1704067200.000000\tC1", file=log)
message = "2 123456789010 eni-1 10.0.0.1 10.0.0.2 20641 22 6 20 4249 1704067200 1704067260 ACCEPT OK"

(row,) = ZeekLogReader("conn.log").readrows()
frame = LogToDataFrame().create_dataframe("conn.log")
flow = FlowRecord.from_cwl_event({"message": message})
print("zat ZeekLogReader ", row["ts"], "zone", row["ts"].tzinfo)
print("zat LogToDataFrame", frame.index[0], "zone", frame.index[0].tzinfo)
print("flowlogs-reader   ", flow.start, "zone", flow.start.tzinfo)
print("difference of the two readers:", flow.start - row["ts"])
PYTHON
cat > expected.txt <<'TEXT'
zat 0.4.9 flowlogs-reader 5.0.1
Successfully monitoring conn.log...
zat ZeekLogReader  2023-12-31 19:00:00 zone None
zat LogToDataFrame 2024-01-01 00:00:00 zone None
flowlogs-reader    2024-01-01 00:00:00 zone None
difference of the two readers: 5:00:00
TEXT
TZ=America/New_York venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
