#!/usr/bin/env bash
# avro writes a value with the last branch of a union that fits; fastavro takes the best: numbers lose digits, records
# change type.
#
# Ran:      avro 1.12.2 and fastavro 1.13.1. The same values and schemas, written by both, read by fastavro.
# Expected: The same value and schema give the same bytes. An integer takes the branch "long", as the specification's
#           JSON form shows.
# Happens:  For ["null", "long", "double"] avro writes 9007199254740993 as the double 9007199254740992. For a union of
#           a heartbeat and an assignment, both with an optional field of their own, avro writes {"ip": ...} as the
#           assignment and fastavro as the heartbeat.
# Seen:     The text after "expected.txt" below.
# Matters:  Byte counters above 2^53 and identifiers change without an error. A record of one kind arrives as another
#           kind of evidence.
# Do:       Avoid unions whose branches share values. With fastavro name the branch: a pair ("Heartbeat", record). Put
#           no two number types into a union.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check avro==1.12.2 fastavro==1.13.1 || exit 2
cat > run.py <<'PYTHON'
import io
import json
from importlib.metadata import version

import avro.io
import avro.schema
import fastavro

print("avro", version("avro"), "fastavro", fastavro.__version__)


def by_avro(schema, value):
    out = io.BytesIO()
    avro.io.DatumWriter(avro.schema.parse(json.dumps(schema))).write(value, avro.io.BinaryEncoder(out))
    return out.getvalue()


def by_fastavro(schema, value):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def record(name, extra):
    optional = {"name": extra, "type": ["null", "string"], "default": None}
    return {"type": "record", "name": name, "fields": [{"name": "ip", "type": "string"}, optional]}


for schema, value in (
    (["null", "long", "double"], 9007199254740993),
    ([record("Heartbeat", "pod"), record("Assignment", "interface")], {"ip": "10.0.0.1"}),
):
    print("value", value)
    for name, write in (("avro", by_avro), ("fastavro", by_fastavro)):
        content = io.BytesIO(write(schema, value))
        print("  written by", name.ljust(8), "->", fastavro.schemaless_reader(content, fastavro.parse_schema(schema)))
PYTHON
cat > expected.txt <<'TEXT'
avro 1.12.2 fastavro 1.13.1
value 9007199254740993
  written by avro     -> 9007199254740992.0
  written by fastavro -> 9007199254740993
value {'ip': '10.0.0.1'}
  written by avro     -> {'ip': '10.0.0.1', 'interface': None}
  written by fastavro -> {'ip': '10.0.0.1', 'pod': None}
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
