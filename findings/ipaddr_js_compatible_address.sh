#!/usr/bin/env bash
# ipaddr.js reads "::10.0.0.1", which the C library prints for ::a00:1, as the mapped address ::ffff:10.0.0.1.
#
# Ran:      ipaddr.js 2.5.0 on Node.js, inet_ntop and ipaddress of Python on glibc.
# Expected: "::10.0.0.1" and "::a00:1" are the same 16 bytes (RFC 4291, section 2.2), so each parser gives ::a00:1.
# Happens:  ipaddr.js adds ffff. So the address changes, its kind becomes ipv4Mapped, and process() makes 10.0.0.1 of it.
# Seen:     The text after "expected.txt" below.
# Matters:  Programs that use inet_ntop print small IPv6 addresses with a dotted end. A viewer in JavaScript then shows the
#           flow of an IPv6 host as a flow of an IPv4 host.
# Do:       Compare bytes, not texts.
set -euo pipefail
command -v node npm > /dev/null || { echo "needs Node.js and npm"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > npm.txt && npm install --silent --no-audit --no-fund ipaddr.js@2.5.0 > npm.txt || exit 2
cat > run.py <<'PYTHON'
import ipaddress
import socket

packed = ipaddress.ip_address("::a00:1").packed
print("glibc prints ::a00:1 as     ", socket.inet_ntop(socket.AF_INET6, packed))
print("ipaddress reads ::10.0.0.1 as", ipaddress.ip_address("::10.0.0.1"))
print("glibc reads ::10.0.0.1 as    bytes", socket.inet_pton(socket.AF_INET6, "::10.0.0.1").hex())
PYTHON
cat > run.js <<'JAVASCRIPT'
const ipaddr = require("ipaddr.js");
console.log("ipaddr.js", require("ipaddr.js/package.json").version);
for (const text of ["::10.0.0.1", "::a00:1", "::ffff:10.0.0.1"]) {
  const address = ipaddr.parse(text);
  console.log(`ipaddr.js reads ${text} as`, address.toString(), address.range(), "->", ipaddr.process(text).toString());
}
JAVASCRIPT
{ python3 run.py; node run.js; } | tee seen.txt
cat > expected.txt <<'TEXT'
glibc prints ::a00:1 as      ::10.0.0.1
ipaddress reads ::10.0.0.1 as ::a00:1
glibc reads ::10.0.0.1 as    bytes 0000000000000000000000000a000001
ipaddr.js 2.5.0
ipaddr.js reads ::10.0.0.1 as ::ffff:a00:1 ipv4Mapped -> 10.0.0.1
ipaddr.js reads ::a00:1 as ::a00:1 unicast -> ::a00:1
ipaddr.js reads ::ffff:10.0.0.1 as ::ffff:a00:1 ipv4Mapped -> 10.0.0.1
TEXT
diff -u expected.txt seen.txt
echo "as recorded"
