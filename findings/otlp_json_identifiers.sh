#!/usr/bin/env bash
# protobuf's JSON reader takes the trace identifier of OTLP/JSON without complaint and makes 24 other bytes of it.
#
# Ran:      opentelemetry-proto 1.45.2 with protobuf 7.36.2. A log record as OTLP/JSON shows it, with hexadecimal
#           identifiers.
# Expected: The message classes of OpenTelemetry and protobuf's own JSON functions read OpenTelemetry's JSON, or fail
#           on it.
# Happens:  OTLP/JSON writes identifiers as hexadecimal, protobuf's JSON means base64. Each hexadecimal text of 32 or
#           16 digits is valid base64. So a trace identifier of 16 bytes becomes 24 bytes, and a span identifier of 8
#           bytes becomes 12. MessageToJson writes base64, which other OTLP tools do not understand.
# Seen:     The text after "expected.txt" below.
# Matters:  Flow logs that arrive as OTLP logs (from collectors and eBPF agents) no longer join with traces on the
#           identifier.
# Do:       Replace traceId, spanId and parentSpanId by base64 of the decoded hexadecimal text before Parse. Check for
#           16 and 8 bytes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check opentelemetry-proto==1.45.2 protobuf==7.36.2 || exit 2
cat > run.py <<'PYTHON'
import json
from importlib.metadata import version

from google.protobuf import json_format
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

print("opentelemetry-proto", version("opentelemetry-proto"), "protobuf", version("protobuf"))
otlp = {"timeUnixNano": "1704067200123456789", "traceId": "5b8aa5a2d2c872e8321cf37308d69df2", "spanId": "051581bf3cb55c13"}
print("given   ", json.dumps(otlp))
record = json_format.Parse(json.dumps(otlp), LogRecord())
print("trace_id", len(record.trace_id), "bytes", record.trace_id.hex())
print("span_id ", len(record.span_id), "bytes", record.span_id.hex())
right = LogRecord(trace_id=bytes.fromhex(otlp["traceId"]))
print("written ", json.dumps(json_format.MessageToDict(right)))
PYTHON
cat > expected.txt <<'TEXT'
opentelemetry-proto 1.45.2 protobuf 7.36.2
given    {"timeUnixNano": "1704067200123456789", "traceId": "5b8aa5a2d2c872e8321cf37308d69df2", "spanId": "051581bf3cb55c13"}
trace_id 24 bytes e5bf1a6b96b677673cef67bcdf6d5c7f7ef7d3c77af5d7f6
span_id  12 bytes d39d79f356dfddc6f9e5cd77
written  {"traceId": "W4qlotLIcugyHPNzCNad8g=="}
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
