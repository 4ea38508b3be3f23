"""Sockets that accept on every address of a pool, by a sk_lookup program or wildcard."""
