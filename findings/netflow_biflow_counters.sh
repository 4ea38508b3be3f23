#!/usr/bin/env bash
# The netflow package merges the two directions of an IPFIX biflow into one counter, and the values decide which
# direction stays.
#
# Ran:      netflow 0.12.2. A template with octetDeltaCount, and octetDeltaCount of the enterprise number 29305 (RFC
#           5103, reverse).
# Expected: Two counters, or at least always the forward counter.
# Happens:  The parser ignores the enterprise number, so both elements have the name octetDeltaCount. The pairs pass
#           through a set, so the hash order of the values decides. Forward 100 and reverse 200 gives 100. Forward 200
#           and reverse 100 gives 100 too. An element 1 of a vendor's own number (here 9) is reported as
#           octetDeltaCount as well.
# Seen:     The text after "expected.txt" below.
# Matters:  YAF exports biflows. Bytes by workload are wrong in a way that looks random, and no error shows.
# Do:       Split on the enterprise number: drop or rename elements whose template field has one before data is read.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check netflow==0.12.2 || exit 2
cat > run.py <<'PYTHON'
import struct
from importlib.metadata import version

import netflow

print("netflow", version("netflow"))


def message(*fields, values):
    """One IPFIX message with a template 256 of fields (element, length, enterprise or 0) and a record of values."""
    template = struct.pack("!HH", 256, len(fields))
    for element, length, enterprise in fields:
        template += struct.pack("!HH", element | (0x8000 if enterprise else 0), length)
        template += struct.pack("!I", enterprise) if enterprise else b""
    sets = struct.pack("!HH", 2, 4 + len(template)) + template + struct.pack("!HH", 256, 4 + len(values)) + values
    return struct.pack("!HHIII", 10, 16 + len(sets), 1704067200, 0, 1) + sets


def parsed(packet):
    return netflow.parse_packet(packet, {"netflow": {}, "ipfix": {}}).flows[0].data["octetDeltaCount"]


for forward, reverse in ((100, 200), (200, 100), (1500, 60), (1, 2)):
    packet = message((1, 8, 0), (1, 8, 29305), values=struct.pack("!QQ", forward, reverse))
    print(f"forward {forward} reverse {reverse} -> octetDeltaCount", parsed(packet))
print("element 1 of enterprise 9, value 7 -> octetDeltaCount", parsed(message((1, 4, 9), values=struct.pack("!I", 7))))
PYTHON
cat > expected.txt <<'TEXT'
netflow 0.12.2
forward 100 reverse 200 -> octetDeltaCount 100
forward 200 reverse 100 -> octetDeltaCount 100
forward 1500 reverse 60 -> octetDeltaCount 1500
forward 1 reverse 2 -> octetDeltaCount 2
element 1 of enterprise 9, value 7 -> octetDeltaCount 7
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
