#!/usr/bin/env bash
# Go has two answers to "is ::ffff:10.0.0.1 the address 10.0.0.1, and is it in 10.0.0.0/8": net says yes, net/netip says no.
#
# Ran:      Go's standard library, of the go command of this machine (tried with go1.26.8).
# Expected: The two packages of one library agree on equality and on containment.
# Happens:  net.IP.Equal and net.IPNet.Contains treat the mapped address as IPv4, and net prints 10.0.0.1. net/netip keeps it
#           apart and prints ::ffff:10.0.0.1. For the prefix ::ffff:10.0.0.0/104 net prints 10.0.0.0/8 and contains IPv4
#           addresses; netip does not.
# Seen:     The text after "expected.txt" below.
# Matters:  Flow exporters and Kubernetes tools in Go move from net.IP to netip. The same connection of a dual-stack socket
#           then leaves the table of its pod, or has another text in the log.
# Do:       Call Unmap() on each netip.Addr at the border, also before it becomes the key of a map.
set -euo pipefail
command -v go > /dev/null || { echo "needs Go"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export GOTOOLCHAIN=local GOFLAGS=-mod=mod GOCACHE="$folder/cache"
printf 'module finding\n\ngo 1.21\n' > go.mod
cat > main.go <<'GO'
package main

import (
	"fmt"
	"net"
	"net/netip"
)

func main() {
	mapped, plain := "::ffff:10.0.0.1", "10.0.0.1"
	_, network, _ := net.ParseCIDR("10.0.0.0/8")
	fmt.Println("net    text", net.ParseIP(mapped), "equal", net.ParseIP(mapped).Equal(net.ParseIP(plain)),
		"in 10.0.0.0/8", network.Contains(net.ParseIP(mapped)))
	a, b := netip.MustParseAddr(mapped), netip.MustParseAddr(plain)
	prefix := netip.MustParsePrefix("10.0.0.0/8")
	fmt.Println("netip  text", a, "equal", a == b, "in 10.0.0.0/8", prefix.Contains(a))
	fmt.Println("netip  after Unmap: text", a.Unmap(), "equal", a.Unmap() == b, "in 10.0.0.0/8", prefix.Contains(a.Unmap()))
	_, network, _ = net.ParseCIDR("::ffff:10.0.0.0/104")
	prefix = netip.MustParsePrefix("::ffff:10.0.0.0/104")
	fmt.Println("net    prefix", network, "contains 10.0.0.1", network.Contains(net.ParseIP(plain)))
	fmt.Println("netip  prefix", prefix, "contains 10.0.0.1", prefix.Contains(b))
}
GO
cat > expected.txt <<'TEXT'
net    text 10.0.0.1 equal true in 10.0.0.0/8 true
netip  text ::ffff:10.0.0.1 equal false in 10.0.0.0/8 false
netip  after Unmap: text 10.0.0.1 equal true in 10.0.0.0/8 true
net    prefix 10.0.0.0/8 contains 10.0.0.1 true
netip  prefix ::ffff:10.0.0.0/104 contains 10.0.0.1 false
TEXT
go version
go run . | tee seen.txt
diff -u expected.txt seen.txt
echo "as recorded"
