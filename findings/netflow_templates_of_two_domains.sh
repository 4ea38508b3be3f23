#!/usr/bin/env bash
# The netflow package reads a record by the template of another observation domain: source and destination change
# places.
#
# Ran:      netflow 0.12.2. One exporter with two observation domains (line cards). Both use template 256, with other
#           field orders.
# Expected: A record is read by the template of its own domain. RFC 7011 and RFC 3954 make template numbers unique
#           only in a domain.
# Happens:  The store of templates has the template number as its only key. The last template wins for all domains, in
#           IPFIX and in NetFlow v9. The two addresses have one length, so nothing fails: the source becomes the
#           destination.
# Seen:     The text after "expected.txt" below.
# Matters:  The flow names two real workloads in the wrong roles. Collectors for many exporters with one store meet it
#           too.
# Do:       Keep one template store for each exporter address, version and domain (bytes 12 to 16 of IPFIX, 16 to 20
#           of v9).
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
SOURCE, DESTINATION = 8, 12


def ipfix(domain, sets):
    return struct.pack("!HHIII", 10, 16 + len(sets), 1704067200, 0, domain) + sets


def version_9(domain, sets):
    return struct.pack("!HHIIII", 9, 1, 360000, 1704067200, 0, domain) + sets


def template(set_number, *elements):
    body = struct.pack("!HH", 256, len(elements)) + b"".join(struct.pack("!HH", element, 4) for element in elements)
    return struct.pack("!HH", set_number, 4 + len(body)) + body


record = struct.pack("!HH", 256, 12) + bytes([10, 0, 0, 1]) + bytes([10, 0, 0, 2])  # from 10.0.0.1 to 10.0.0.2
for name, packet, set_number in (("IPFIX", ipfix, 2), ("NetFlow v9", version_9, 0)):
    for second_domain in (False, True):
        templates = {"netflow": {}, "ipfix": {}}
        netflow.parse_packet(packet(1, template(set_number, SOURCE, DESTINATION)), templates)
        if second_domain:
            netflow.parse_packet(packet(2, template(set_number, DESTINATION, SOURCE)), templates)
        flow = netflow.parse_packet(packet(1, record), templates).flows[0].data
        print(name, "after a template of domain 2" if second_domain else "domain 1 alone")
        for field, value in sorted(flow.items()):
            print("  ", field, value)
PYTHON
cat > expected.txt <<'TEXT'
netflow 0.12.2
IPFIX domain 1 alone
   destinationIPv4Address 167772162
   sourceIPv4Address 167772161
IPFIX after a template of domain 2
   destinationIPv4Address 167772161
   sourceIPv4Address 167772162
NetFlow v9 domain 1 alone
   IPV4_DST_ADDR 10.0.0.2
   IPV4_SRC_ADDR 10.0.0.1
NetFlow v9 after a template of domain 2
   IPV4_DST_ADDR 10.0.0.1
   IPV4_SRC_ADDR 10.0.0.2
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
