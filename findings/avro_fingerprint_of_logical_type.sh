#!/usr/bin/env bash
# avro and fastavro compute different fingerprints of one schema, if a field has a logical type.
#
# Ran:      avro 1.12.2 and fastavro 1.13.1. A record with a long, and the same record with timestamp-micros and
#           timestamp-millis.
# Expected: The CRC-64-AVRO fingerprint of the Parsing Canonical Form is the same in all libraries; that is its
#           purpose.
# Happens:  Both drop the logical type. fastavro then writes "long"; avro leaves {"type": "long"}, which the rules of
#           the form forbid. So the fingerprints differ for each schema with a time. In fastavro, micros and millis
#           have the fingerprint of a plain long.
# Seen:     The text after "expected.txt" below.
# Matters:  Single-object messages carry this fingerprint. A reader of the other library does not find the schema. Two
#           versions of a schema that differ only in milliseconds and microseconds cannot be told apart.
# Do:       Compute fingerprints with one library, and give the field a new name if its unit changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check avro==1.12.2 fastavro==1.13.1 || exit 2
cat > run.py <<'PYTHON'
import json
from importlib.metadata import version

import avro.schema
import fastavro.schema

print("avro", version("avro"), "fastavro", fastavro.__version__)
for kind in (
    "long",
    {"type": "long", "logicalType": "timestamp-micros"},
    {"type": "long", "logicalType": "timestamp-millis"},
):
    schema = {"type": "record", "name": "flow", "fields": [{"name": "start", "type": kind}]}
    print(kind if isinstance(kind, str) else kind["logicalType"])
    parsed = avro.schema.parse(json.dumps(schema))
    print("  avro    ", parsed.fingerprint("CRC-64-AVRO").hex(), parsed.canonical_form)
    form = fastavro.schema.to_parsing_canonical_form(schema)
    print("  fastavro", fastavro.schema.fingerprint(form, "CRC-64-AVRO"), form)
PYTHON
cat > expected.txt <<'TEXT'
avro 1.12.2 fastavro 1.13.1
long
  avro     26306c16b84999ed {"name":"flow","type":"record","fields":[{"name":"start","type":"long"}]}
  fastavro 26306c16b84999ed {"name":"flow","type":"record","fields":[{"name":"start","type":"long"}]}
timestamp-micros
  avro     4c6f7e68db358184 {"name":"flow","type":"record","fields":[{"name":"start","type":{"type":"long"}}]}
  fastavro 26306c16b84999ed {"name":"flow","type":"record","fields":[{"name":"start","type":"long"}]}
timestamp-millis
  avro     4c6f7e68db358184 {"name":"flow","type":"record","fields":[{"name":"start","type":{"type":"long"}}]}
  fastavro 26306c16b84999ed {"name":"flow","type":"record","fields":[{"name":"start","type":"long"}]}
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
