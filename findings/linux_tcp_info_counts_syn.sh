#!/usr/bin/env bash
# TCP_INFO of Linux counts SYN and FIN as acknowledged bytes, and SYN only on the client: 1000 bytes sent are 1002
# bytes acknowledged.
#
# Ran:      The kernel of this machine (tried with Linux 6.18), on the loopback interface. A client sends 1000 bytes,
#           the server sends 10, the client closes.
# Expected: tcpi_bytes_acked is the number of bytes of data that the peer acknowledged, the same on both sides.
# Happens:  The client shows 1 before any data, 1001 after 1000 bytes, and 1002 after its FIN. The server shows 0 and
#           10, because its SYN does not count. tcpi_bytes_received of the server becomes 1001 at the FIN.
#           tcpi_bytes_sent counts data only.
# Seen:     The text after "expected.txt" below.
# Matters:  Agents that read socket counters ("ss -i", eBPF) report flows of 1 byte for connections without data. Both
#           ends of one connection never have equal totals.
# Do:       Use tcpi_bytes_sent minus tcpi_bytes_retrans for sent data. Compare counters of two ends with a tolerance
#           of 2 bytes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > run.py <<'PYTHON'
import socket
import struct
import sys
import time

if sys.platform != "linux":
    print("needs Linux")
    sys.exit(77)
ACKED, RECEIVED, SENT = 120, 128, 200  # offsets in struct tcp_info


def report(moment):
    time.sleep(0.3)
    for name, end in (("client", client), ("server", server)):
        info = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 240)
        if len(info) < SENT + 8:
            print("needs Linux 4.19 or later")
            sys.exit(77)
        sent, acked, received = (struct.unpack_from("Q", info, offset)[0] for offset in (SENT, ACKED, RECEIVED))
        print(moment.ljust(20), name, "bytes_sent", sent, "bytes_acked", acked, "bytes_received", received)


listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server = listener.accept()[0]
report("connected")
client.sendall(bytes(1000))
server.recv(1000, socket.MSG_WAITALL)
server.sendall(bytes(10))
client.recv(10, socket.MSG_WAITALL)
report("1000 and 10 bytes")
client.shutdown(socket.SHUT_WR)
server.recv(1)
report("client closed")
PYTHON
cat > expected.txt <<'TEXT'
connected            client bytes_sent 0 bytes_acked 1 bytes_received 0
connected            server bytes_sent 0 bytes_acked 0 bytes_received 0
1000 and 10 bytes    client bytes_sent 1000 bytes_acked 1001 bytes_received 10
1000 and 10 bytes    server bytes_sent 10 bytes_acked 10 bytes_received 1000
client closed        client bytes_sent 1000 bytes_acked 1002 bytes_received 10
client closed        server bytes_sent 10 bytes_acked 10 bytes_received 1001
TEXT
uname -sr
python3 run.py | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
