#!/usr/bin/env bash
# py-radix reads the short prefix 10/8 as 0.0.0.0/8, and netaddr reads 10/8 as 10.0.0.0/8.
#
# Ran:      py-radix 1.1.0, netaddr 1.3.0.
# Expected: 10/8 means 10.0.0.0/8, as in RFC 1918 ("10/8 prefix"), or the library refuses the short form.
# Happens:  py-radix reads 10 as the old inet_aton form of 0.0.0.10, cuts it to 8 bits, and stores 0.0.0.0/8 without
#           an error. 172.16/12 becomes 172.0.0.0/12. netaddr's expansion of short prefixes gives 10.0.0.0/8 and
#           172.16.0.0/12. Its IPNetwork and Python's ipaddress refuse the short form.
# Seen:     The text after "expected.txt" below.
# Matters:  Lists of pools and internal networks often hold short prefixes. With py-radix the internal network is
#           absent from the table.
# Do:       Parse prefixes with ipaddress before they enter the tree, and compare node.prefix with what was asked for.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check netaddr==1.3.0 py-radix==1.1.0 || exit 2
cat > run.py <<'PYTHON'
import ipaddress
from importlib.metadata import version

import netaddr
import radix

print("py-radix", version("py-radix"), "netaddr", netaddr.__version__)
for short, member in (("10/8", "10.1.2.3"), ("172.16/12", "172.16.0.1"), ("192.168/16", "192.168.0.1")):
    tree = radix.Radix()
    print(short)
    print("  py-radix ", tree.add(short).prefix, "| finds", member, "->", tree.search_best(member))
    print("  netaddr  ", netaddr.cidr_abbrev_to_verbose(short))
    try:
        print("  ipaddress", ipaddress.ip_network(short))
    except ValueError as error:
        print("  ipaddress", type(error).__name__)
PYTHON
cat > expected.txt <<'TEXT'
py-radix 1.1.0 netaddr 1.3.0
10/8
  py-radix  0.0.0.0/8 | finds 10.1.2.3 -> None
  netaddr   10.0.0.0/8
  ipaddress ValueError
172.16/12
  py-radix  172.0.0.0/12 | finds 172.16.0.1 -> None
  netaddr   172.16.0.0/12
  ipaddress ValueError
192.168/16
  py-radix  192.0.0.0/16 | finds 192.168.0.1 -> None
  netaddr   192.168.0.0/16
  ipaddress ValueError
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
