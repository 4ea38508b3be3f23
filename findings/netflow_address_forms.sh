#!/usr/bin/env bash
# The netflow package gives an address as text in NetFlow v9, and as a number in NetFlow v5 and IPFIX.
#
# Ran:      netflow 0.12.2. The same source address 10.0.0.1 in three export formats, and 2001:db8::1 in two.
# Expected: One library gives one form of an address.
# Happens:  v9 gives '10.0.0.1' and '2001:db8::1'. v5 and IPFIX give integers. An integer does not say its family:
#           ::a00:1 in IPFIX and 10.0.0.1 are both 167772161.
# Seen:     The text after "expected.txt" below.
# Matters:  A device that changes from v9 to IPFIX no longer joins with its own history. ip_address() of the number of
#           a small IPv6 address gives an IPv4 workload.
# Do:       Normalise by the name of the field, not by the value: IPv6Address(number) for sourceIPv6Address.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check netflow==0.12.2 || exit 2
cat > run.py <<'PYTHON'
import ipaddress
import struct
from importlib.metadata import version

import netflow

print("netflow", version("netflow"))
IPV4 = ipaddress.ip_address("10.0.0.1").packed


def one_flow(packet):
    return netflow.parse_packet(packet, {"netflow": {}, "ipfix": {}}).flows[0].data


def template_and_record(set_number, element, value):
    template = struct.pack("!HHHH", 256, 1, element, len(value))
    return struct.pack("!HH", set_number, 12) + template + struct.pack("!HH", 256, 4 + len(value)) + value


def version_9(element, value):
    return struct.pack("!HHIIII", 9, 2, 360000, 1704067200, 0, 1) + template_and_record(0, element, value)


def ipfix(element, value):
    sets = template_and_record(2, element, value)
    return struct.pack("!HHIII", 10, 16 + len(sets), 1704067200, 0, 1) + sets


version_5 = struct.pack("!HHIIIIBBH", 5, 1, 360000, 1704067200, 0, 0, 0, 0, 0) + IPV4 + bytes(44)
print("v5   ", repr(one_flow(version_5)["IPV4_SRC_ADDR"]))
print("v9   ", one_flow(version_9(8, IPV4)))
print("IPFIX", one_flow(ipfix(8, IPV4)))
for text in ("2001:db8::1", "::a00:1"):
    packed = ipaddress.ip_address(text).packed
    print("v9   ", one_flow(version_9(27, packed)))
    print("IPFIX", one_flow(ipfix(27, packed)))
PYTHON
cat > expected.txt <<'TEXT'
netflow 0.12.2
v5    167772161
v9    {'IPV4_SRC_ADDR': '10.0.0.1'}
IPFIX {'sourceIPv4Address': 167772161}
v9    {'IPV6_SRC_ADDR': '2001:db8::1'}
IPFIX {'sourceIPv6Address': 42540766411282592856903984951653826561}
v9    {'IPV6_SRC_ADDR': '::a00:1'}
IPFIX {'sourceIPv6Address': 167772161}
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
