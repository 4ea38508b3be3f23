#!/usr/bin/env bash
# The netflow package gives 2 for a false IPFIX boolean, and 2 is true in Python.
#
# Ran:      netflow 0.12.2. The element dataRecordsReliability (276, boolean) with the values true and false.
# Expected: True and False. The parser has a branch for booleans, with a comment that 2 is false.
# Happens:  The branch is only reached for values that are still bytes. A boolean of one byte was unpacked to an
#           integer before, so the values are 1 for true and 2 for false. Both are true in a condition.
# Seen:     The text after "expected.txt" below.
# Matters:  A filter "if record.dataRecordsReliability" keeps the records that the exporter calls unreliable.
# Do:       Compare with 1. RFC 7011, section 6.1.5: 1 is true, 2 is false.
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
for name, octet in (("true", 1), ("false", 2)):
    sets = struct.pack("!HHHHHH", 2, 12, 256, 1, 276, 1) + struct.pack("!HHB", 256, 5, octet)
    packet = struct.pack("!HHIII", 10, 16 + len(sets), 1704067200, 0, 1) + sets
    value = netflow.parse_packet(packet, {"netflow": {}, "ipfix": {}}).flows[0].data["dataRecordsReliability"]
    print(f"{name} on the wire -> {value!r}, bool() -> {bool(value)}")
PYTHON
cat > expected.txt <<'TEXT'
netflow 0.12.2
true on the wire -> 1, bool() -> True
false on the wire -> 2, bool() -> True
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
