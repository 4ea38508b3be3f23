#!/usr/bin/env bash
# One PyTricia trie mixes IPv4 and IPv6 addresses that begin with the same bits, and loses IPv6 prefixes longer than
# /32.
#
# Ran:      pytricia 1.3.0.
# Expected: The trie takes IPv4 and IPv6 texts, so it keeps the families apart or refuses the second family.
# Happens:  The trie compares bits and forgets the family. The IPv4 network 32.1.13.0/24 answers for 2001:db8::1,
#           because the bytes 32, 1, 13 are the bytes 20, 01, 0d. A trie of the default 32 bits accepts and lists an
#           IPv6 /48, but no address finds it.
# Seen:     The text after "expected.txt" below.
# Matters:  A table of customer networks or workloads that holds both families names the wrong owner, without an
#           error.
# Do:       Keep one trie for each family: PyTricia(32) for IPv4 and PyTricia(128, socket.AF_INET6) for IPv6. Choose
#           by the version of the parsed address.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check pytricia==1.3.0 || exit 2
cat > run.py <<'PYTHON'
from importlib.metadata import version

import pytricia

print("pytricia", version("pytricia"))

wide = pytricia.PyTricia(128)
wide["32.1.13.0/24"] = "owner of an IPv4 network"
print("128 bits, holds", list(wide))
print("  2001:db8::1 ->", wide.get("2001:db8::1"))

narrow = pytricia.PyTricia()
narrow["2001:db8::/32"] = "owner of an IPv6 network"
print("32 bits, holds", list(narrow))
print("  32.1.13.184 ->", narrow.get("32.1.13.184"))

long = pytricia.PyTricia()
long["2001:db8:1::/48"] = "owner of a /48"
print("32 bits, holds", list(long))
print("  2001:db8:1::1 ->", long.get("2001:db8:1::1"))
PYTHON
cat > expected.txt <<'TEXT'
pytricia 1.3.0
128 bits, holds ['32.1.13.0/24']
  2001:db8::1 -> owner of an IPv4 network
32 bits, holds ['2001:db8::/32']
  32.1.13.184 -> owner of an IPv6 network
32 bits, holds ['2001:db8:1::/48']
  2001:db8:1::1 -> owner of a /48
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
