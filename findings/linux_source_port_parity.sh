#!/usr/bin/env bash
# Linux gives even source ports to TCP clients that only connect, and odd ports to clients that bind to port 0 first.
#
# Ran:      The kernel of this machine (tried with Linux 6.18), on the loopback interface. 100 connections of each
#           kind.
# Expected: The kernel picks any free port of net.ipv4.ip_local_port_range.
# Happens:  connect() without bind() prefers ports with the parity of the lower end of the range. bind() to port 0
#           prefers the other parity. bind() with IP_BIND_ADDRESS_NO_PORT is as connect() alone.
# Seen:     The text after "expected.txt" below.
# Matters:  Most hosts use only half of the range. Partitions by port % 2, samples by the last bit, and port blocks of
#           one address for several clients fill unevenly. Parity also tells proxies with a bound source address from
#           plain clients.
# Do:       Hash ports before you take a modulus.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > run.py <<'PYTHON'
import socket
import sys

if sys.platform != "linux":
    print("needs Linux")
    sys.exit(77)
low = int(open("/proc/sys/net/ipv4/ip_local_port_range").read().split()[0])
server = socket.create_server(("127.0.0.1", 0), backlog=512)
NO_PORT = 24  # IP_BIND_ADDRESS_NO_PORT


def client(bind, no_port=False):
    connection = socket.socket()
    if no_port:
        connection.setsockopt(socket.IPPROTO_IP, NO_PORT, 1)
    if bind:
        connection.bind(("127.0.0.1", 0))
    connection.connect(server.getsockname())
    server.accept()[0].close()
    return connection


def report(name, connections):
    other = sum((connection.getsockname()[1] - low) % 2 for connection in connections)
    print(name.ljust(34), "ports with the parity of the lower end:", 100 - other, "other:", other)
    for connection in connections:
        connection.close()


report("connect", [client(bind=False) for _ in range(100)])
report("bind to port 0, connect", [client(bind=True) for _ in range(100)])
report("IP_BIND_ADDRESS_NO_PORT, connect", [client(bind=True, no_port=True) for _ in range(100)])
PYTHON
cat > expected.txt <<'TEXT'
connect                            ports with the parity of the lower end: 100 other: 0
bind to port 0, connect            ports with the parity of the lower end: 0 other: 100
IP_BIND_ADDRESS_NO_PORT, connect   ports with the parity of the lower end: 100 other: 0
TEXT
uname -sr
python3 run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
