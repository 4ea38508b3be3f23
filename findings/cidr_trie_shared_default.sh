#!/usr/bin/env bash
# In cidr-trie, the entry of 0.0.0.0/0 in one trie is in all other tries too, as 0.0.0.0/0 or as ::/0.
#
# Ran:      cidr-trie 3.1.2. Two tries, each for one network.
# Expected: A new trie is empty.
# Happens:  All tries of a process share the entries of the root, because the constructor of the node has a mutable
#           default argument. A default route in the first trie answers in the second trie, which nobody gave one. An
#           IPv6 trie shows it as ::/0.
# Seen:     The text after "expected.txt" below.
# Matters:  One table for each network or tenant is usual, because private addresses repeat. An address without an
#           owner gets the catch-all owner of another tenant.
# Do:       Keep the default outside of the trie: store no prefix of length 0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check cidr-trie==3.1.2 || exit 2
cat > run.py <<'PYTHON'
from importlib.metadata import version

from cidr_trie import PatriciaTrie

print("cidr-trie", version("cidr-trie"))
first, second, third = PatriciaTrie(), PatriciaTrie(), PatriciaTrie()
first.insert("0.0.0.0/0", "default of the first network")
second.insert("10.0.0.0/8", "owner in the second network")
third.insert("2001:db8::/32", "owner in the third network")
print("second, 10.0.0.1    ", second.find_all("10.0.0.1"))
print("second, 192.168.0.1 ", second.find_all("192.168.0.1"))
print("third,  2001:db8::1 ", third.find_all("2001:db8::1"))
PYTHON
cat > expected.txt <<'TEXT'
cidr-trie 3.1.2
second, 10.0.0.1     [('0.0.0.0/0', 'default of the first network'), ('10.0.0.0/8', 'owner in the second network')]
second, 192.168.0.1  [('0.0.0.0/0', 'default of the first network')]
third,  2001:db8::1  [('::/0', 'default of the first network'), ('2001:db8::/32', 'owner in the third network')]
TEXT
venv/bin/python run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
