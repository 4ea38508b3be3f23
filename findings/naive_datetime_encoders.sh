#!/usr/bin/env bash
# A datetime without a zone is local time for fastavro, UTC for protobuf, PyArrow and DuckDB, and an error for avro.
#
# Ran:      avro 1.12.2, duckdb 2.0.1, fastavro 1.13.1, protobuf 7.36.2, pyarrow 26.0.1, time zone America/New_York.
# Expected: Encoders for instants agree on datetime(2024, 1, 1), or all refuse it.
# Happens:  Avro's timestamp-micros by fastavro is 05:00 UTC. Protobuf's Timestamp, PyArrow's timestamp with zone UTC
#           and DuckDB's epoch_us give 00:00 UTC.
# Seen:     The text after "expected.txt" below.
# Matters:  A service that writes flows to Kafka as Avro and to a lake as Parquet shifts one of the copies by the
#           offset of the host. Tests on machines with TZ=UTC cannot see it.
# Do:       Give integers, or datetimes with timezone.utc. Run one test with another TZ.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check avro==1.12.2 duckdb==2.0.1 fastavro==1.13.1 protobuf==7.36.2 pyarrow==26.0.1 || exit 2
cat > run.py <<'PYTHON'
import datetime
import io
import json
from importlib.metadata import version

import avro.io
import avro.schema
import duckdb
import fastavro
import google.protobuf.timestamp_pb2
import pyarrow

print(*(f"{name} {version(name)}" for name in ("avro", "duckdb", "fastavro", "protobuf", "pyarrow")))
start = datetime.datetime(2024, 1, 1)
schema = {"type": "long", "logicalType": "timestamp-micros"}


def shown(microseconds):
    return datetime.datetime.fromtimestamp(microseconds / 1e6, datetime.timezone.utc)


out = io.BytesIO()
fastavro.schemaless_writer(out, schema, start)
print("fastavro", shown(fastavro.schemaless_reader(io.BytesIO(out.getvalue()), "long")))
stamp = google.protobuf.timestamp_pb2.Timestamp()
stamp.FromDatetime(start)
print("protobuf", shown(stamp.ToMicroseconds()))
print("pyarrow ", shown(pyarrow.scalar(start, pyarrow.timestamp("us", "UTC")).value))
print("duckdb  ", shown(duckdb.execute("SELECT epoch_us(?)", [start]).fetchone()[0]))
try:
    avro.io.DatumWriter(avro.schema.parse(json.dumps(schema))).write(start, avro.io.BinaryEncoder(io.BytesIO()))
except avro.errors.AvroTypeException as error:
    print("avro    ", type(error).__name__)
PYTHON
cat > expected.txt <<'TEXT'
avro 1.12.2 duckdb 2.0.1 fastavro 1.13.1 protobuf 7.36.2 pyarrow 26.0.1
fastavro 2024-01-01 05:00:00+00:00
protobuf 2024-01-01 00:00:00+00:00
pyarrow  2024-01-01 00:00:00+00:00
duckdb   2024-01-01 00:00:00+00:00
avro     AvroTypeException
TEXT
TZ=America/New_York venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
