#!/usr/bin/env bash
# For two link-local addresses with different zones, Python's ipaddress says that each is greater than the other.
#
# Ran:      Python's own ipaddress module, version 3.9 or later.
# Expected: Exactly one of a < b, a == b and a > b, so that sort and max do not depend on the order of the input.
# Happens:  Equality compares the zone, "<" does not. So a > b and b > a are both true. sorted() keeps the order that
#           it was given, and equal addresses do not come together. int() and packed forget the zone, so they say
#           equal.
# Seen:     The text after "expected.txt" below.
# Matters:  A merge of sorted streams, groupby after sorted, and bisect by address treat one neighbour on two links in
#           changing ways.
# Do:       Sort by the key (address.version, int(address), address.scope_id or "").
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > run.py <<'PYTHON'
import ipaddress
from itertools import groupby

a, b = ipaddress.ip_address("fe80::1%eth0"), ipaddress.ip_address("fe80::1%eth1")
print("a < b:", a < b, " b < a:", b < a)
print("a > b:", a > b, " b > a:", b > a)
print("a == b:", a == b, " int(a) == int(b):", int(a) == int(b))
print("sorted([b, a, b]):", [str(address) for address in sorted([b, a, b])])
print("groups after sort:", [str(address) for address, _ in groupby(sorted([b, a, b]))])
PYTHON
cat > expected.txt <<'TEXT'
a < b: False  b < a: False
a > b: True  b > a: True
a == b: False  int(a) == int(b): True
sorted([b, a, b]): ['fe80::1%eth1', 'fe80::1%eth0', 'fe80::1%eth1']
groups after sort: ['fe80::1%eth1', 'fe80::1%eth0', 'fe80::1%eth1']
TEXT
python3 --version
python3 run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
