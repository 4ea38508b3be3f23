"""Addresses, prefixes, sockets and port blocks, as packed numbers."""
