#!/usr/bin/env bash
# flowlogs-reader writes a zero back as "-": port 0, no TCP flags and protocol 0 become "no value".
#
# Ran:      flowlogs-reader 5.0.1. A VPC flow record of an ICMP flow, read with from_cwl_event and written with
#           to_message.
# Expected: to_message gives the fields that were read.
# Happens:  to_message writes "-" for each false value. AWS logs ports 0 for ICMP, and "-" in AWS's format means that
#           a field does not apply or was not computed. The record that is read back has None, and aggregated_records
#           skips it as incomplete.
# Seen:     The text after "expected.txt" below.
# Matters:  A copy of the logs lacks all ICMP flows after one pass of read and write. The counts of the first pass are
#           complete.
# Do:       Write str(value) if value is not None, from to_dict(). Or copy the original line.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check flowlogs-reader==5.0.1 || exit 2
cat > run.py <<'PYTHON'
import warnings
from importlib.metadata import version

from flowlogs_reader import FlowRecord, aggregated_records

warnings.simplefilter("ignore")
print("flowlogs-reader", version("flowlogs-reader"))
line = "2 123456789010 eni-1 10.0.0.1 10.0.0.2 0 0 1 4 336 1704067200 1704067260 ACCEPT OK"
first = FlowRecord.from_cwl_event({"message": line})
written = " ".join(first.to_message().split()[:14])
second = FlowRecord.from_cwl_event({"message": written})
print("read   ", line)
print("written", written)
print("ports  ", first.srcport, first.dstport, "->", second.srcport, second.dstport)
print("aggregated flows", len(list(aggregated_records([first]))), "->", len(list(aggregated_records([second]))))
PYTHON
cat > expected.txt <<'TEXT'
flowlogs-reader 5.0.1
read    2 123456789010 eni-1 10.0.0.1 10.0.0.2 0 0 1 4 336 1704067200 1704067260 ACCEPT OK
written 2 123456789010 eni-1 10.0.0.1 10.0.0.2 - - 1 4 336 1704067200 1704067260 ACCEPT OK
ports   0 0 -> None None
aggregated flows 1 -> 0
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
