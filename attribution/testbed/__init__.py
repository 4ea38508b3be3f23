"""Simulated fleets, a lab on loopback and a local cluster: how the promise is tested."""
