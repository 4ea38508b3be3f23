"""Which workload was on the other end of each network flow, at that moment."""

__version__ = "0.2.0"
